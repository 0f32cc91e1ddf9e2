"""The server: a bound socket, and uvicorn over it until the process is told to stop."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from crucible_api.http.application import build
from crucible_api.http.guard import Rules
from crucible_api.http.services import Services
from crucible_infra.errors import InvalidInput

#: seconds that requests under way are given when the server stops; followers would stay for ever
_GRACE_SECONDS = 3

_BACKLOG = 128


@dataclass(frozen=True, slots=True)
class Bound:
    """A socket that listens, and where."""

    socket: socket.socket
    url: str


@contextmanager
def listen(address: str, port: int) -> Iterator[Bound]:
    """Take the address before anything else is started. Raises InvalidInput when it is taken."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        # on Linux this also takes an address whose last connections are not quite gone
        made = socket.create_server((address, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise InvalidInput(
            f"{address} port {port}: {error.strerror or error}", hint="--port 0 takes a free one"
        ) from error
    with made:
        name = f"[{address}]" if family == socket.AF_INET6 else address
        yield Bound(made, f"http://{name}:{made.getsockname()[1]}")


def serve(bound: Bound, services: Services, rules: Rules) -> None:
    """Answer until a signal ends the process' patience; raises KeyboardInterrupt then."""
    config = uvicorn.Config(
        build(services, rules),
        # our log tells what fails, in our form
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ws="none",
    )
    uvicorn.Server(config).run(sockets=[bound.socket])

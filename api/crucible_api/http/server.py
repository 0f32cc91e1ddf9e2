"""The server: a bound socket, and uvicorn over it until the process is told to stop."""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import uvicorn

from crucible_api.http.application import build
from crucible_api.http.guard import Rules
from crucible_api.http.services import Services
from crucible_infra.errors import InvalidInput

#: seconds that requests under way are given when the server stops
_GRACE_SECONDS = 3

_BACKLOG = 128

#: connections at once; more are answered 503, and hold no memory
_MOST_CONNECTIONS = 1000


@dataclass(frozen=True, slots=True)
class Bound:
    """A socket that listens, and where."""

    socket: socket.socket
    url: str


def _who_may_be_there(address: str, port: int, error: OSError) -> str:
    if error.errno != errno.EADDRINUSE:
        return ""
    return f"; a crucible serve that is there already has its page at http://{address}:{port}/"


@contextmanager
def listen(address: str, port: int) -> Iterator[Bound]:
    """Take the address before anything else is started. Raises InvalidInput when it is taken."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        # on Linux this also takes an address whose last connections are not quite gone
        made = socket.create_server((address, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise InvalidInput(
            f"{address} port {port}: {os.strerror(error.errno) if error.errno else error}",
            hint=f"--port 0 takes a free one{_who_may_be_there(address, port, error)}",
        ) from error
    with made:
        name = f"[{address}]" if family == socket.AF_INET6 else address
        yield Bound(made, f"http://{name}:{made.getsockname()[1]}")


def serve(
    bound: Bound,
    services: Services,
    rules: Rules,
    on_stop: Callable[[int], object] = lambda _: None,
) -> None:
    """Answer until a signal ends the process' patience; raises KeyboardInterrupt then."""
    make_server(services, rules, on_stop).run(sockets=[bound.socket])


def make_server(
    services: Services, rules: Rules, on_stop: Callable[[int], object] = lambda _: None
) -> uvicorn.Server:
    """The server, not running yet; `on_stop` is told the signal when it begins to end."""
    config = uvicorn.Config(
        build(services, rules),
        # our log tells what fails, in our form
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ws="none",
    )
    return _Server(config, services, on_stop)


class _Server(uvicorn.Server):
    """Lets followers go when it stops, who would else stay as long as they may."""

    def __init__(
        self, config: uvicorn.Config, services: Services, on_stop: Callable[[int], object]
    ) -> None:
        super().__init__(config)
        self._services = services
        self._on_stop = on_stop
        self._signal: int = signal.SIGTERM

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        self._signal = sig
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        self._on_stop(self._signal)
        self._services.turns.close()
        self._services.following.close()
        await super().shutdown(sockets)

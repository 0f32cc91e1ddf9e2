"""The server: a bound socket, and uvicorn over it until the process is told to stop."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from crucible_api.http.application import build
from crucible_api.http.guard import Rules
from crucible_api.http.services import Services
from crucible_infra.errors import InvalidInput

#: seconds that requests under way are given when the server stops
_GRACE_SECONDS = 3

_BACKLOG = 128

#: seconds in which a connection must ask something, or take what it was answered
HEAD_SECONDS = 15.0

_LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}

#: connections at once; more are answered 503, and hold no memory
_MOST_CONNECTIONS = 1000


@dataclass(frozen=True, slots=True)
class Bound:
    """A socket that listens, and where."""

    socket: socket.socket
    url: str
    #: whether it listens at every address of this host
    is_everywhere: bool = False


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
        host, port = made.getsockname()[:2]
        is_everywhere = ipaddress.ip_address(host.partition("%")[0]).is_unspecified
        # nobody can ask for "every address"; this host's own is one of them
        asked = _LOOPBACK[family] if is_everywhere else address
        name = f"[{asked}]" if family == socket.AF_INET6 else asked
        yield Bound(made, f"http://{name}:{port}", is_everywhere=is_everywhere)


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
        # one parser, whatever else is installed
        http=_Connection,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ws="none",
        # nothing is to be done before and after; a second Ctrl-C would be told as its failure
        lifespan="off",
    )
    return _Server(config, services, on_stop)


class _Connection(H11Protocol):
    """Ends when its client says nothing: idle ones would keep everybody else out.

    The framework's own clock stands still until the first answer, and after each byte of a head.
    """

    _clock: asyncio.TimerHandle | None = None
    _unsent = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request; only a whole head ends the wait."""
        super().data_received(data)
        if self._is_busy:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless it is here."""
        super().on_response_complete()
        if not self._is_busy:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._stop_waiting()
        super().connection_lost(exc)

    @property
    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        self._stop_waiting()
        self._unsent = self.transport.get_write_buffer_size()
        self._clock = self.loop.call_later(HEAD_SECONDS, self._leave)

    def _stop_waiting(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _leave(self) -> None:
        if 0 < self.transport.get_write_buffer_size() < self._unsent:
            # slow, but it takes what it was answered
            self._wait()
        else:
            self.transport.abort()


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

"""A TCP proxy whose connections can fall silent, as behind a firewall that forgets them."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

#: between looks whether to end, in seconds
_LOOK_SECONDS = 0.1


class Proxy:
    """Passes bytes on, both ways, until it is told to swallow those of the present connections."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self._lock = threading.Lock()
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._silent: set[socket.socket] = set()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def swallow(self) -> int:
        """Let every present connection stay open and pass nothing more; returns how many."""
        with self._lock:
            self._silent.update(self._pairs)
            return len(self._silent) // 2

    def close(self) -> None:
        """End it."""
        self._is_over = True
        self._thread.join()
        for one in (self._server, *self._pairs):
            one.close()

    def _run(self) -> None:
        while not self._is_over:
            with self._lock:
                heard = [one for one in self._pairs if one not in self._silent]
            ready, _, _ = select.select([self._server, *heard], [], [], _LOOK_SECONDS)
            for one in ready:
                if one is self._server:
                    self._accept()
                else:
                    self._pass_on(one)

    def _accept(self) -> None:
        theirs, _ = self._server.accept()
        ours = socket.create_connection(self._target)
        with self._lock:
            self._pairs[theirs], self._pairs[ours] = ours, theirs

    def _pass_on(self, one: socket.socket) -> None:
        with self._lock:
            other = self._pairs.get(one)
            if other is None or one in self._silent:
                return
        content = b""
        with suppress(OSError):
            content = one.recv(65536)
        if content:
            with suppress(OSError):
                other.sendall(content)
            return
        with self._lock:
            for each in (one, other):
                self._pairs.pop(each, None)
                each.close()


@contextmanager
def proxy(port: int) -> Iterator[Proxy]:
    """A proxy before this port of this host, for the length of a block."""
    one = Proxy(port)
    try:
        yield one
    finally:
        one.close()

"""How scripted trainers of a gang keep step: by way of the first, over real connections.

Each member says before every step whether it was asked to stop; the first one answers all. Who
finds a connection closed knows that another member is gone, as gloo and NCCL do.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass, field

_PATIENCE_SECONDS = 60.0

GO, STOP, END = b"g", b"s", b"e"


class MemberGone(Exception):
    """Another one has closed its connection."""


@dataclass
class Gang:
    """One member's connections; none for who is alone."""

    rank: int = 0
    others: list[socket.socket] = field(default_factory=list)

    def agree(self, *, is_asked: bool) -> bool:
        """Whether any member was asked to stop; the first one asks."""
        said = [_receive(other) for other in self.others]
        is_over = is_asked or STOP in said
        self._tell(STOP if is_over else GO)
        return is_over

    def end(self) -> None:
        """Say that nothing is left to do; the first one does."""
        for other in self.others:
            _receive(other)
        self._tell(END)

    def follow(self, *, is_asked: bool) -> bytes:
        """What the first one says to this."""
        (first,) = self.others
        self._tell(STOP if is_asked else GO)
        return _receive(first)

    def _tell(self, word: bytes) -> None:
        try:
            for other in self.others:
                other.sendall(word)
        except OSError as error:
            raise MemberGone from error


def meet(*, leaves: bool) -> Gang:
    """Meet the others where the environment says, as a trainer does, or find that one leaves."""
    if leaves:
        raise MemberGone
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    if size == 1:
        return Gang()
    place = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
    if rank == 0:
        with socket.create_server(place) as server:
            server.settimeout(_PATIENCE_SECONDS)
            return Gang(0, [server.accept()[0] for _ in range(size - 1)])
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return Gang(rank, [socket.create_connection(place)])
        except OSError as error:
            if time.monotonic() > deadline:
                raise MemberGone from error
            time.sleep(0.05)


def _receive(other: socket.socket) -> bytes:
    try:
        word = other.recv(1)
    except OSError as error:
        raise MemberGone from error
    if not word:
        raise MemberGone
    return word

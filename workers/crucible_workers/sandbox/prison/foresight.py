"""Asks ahead: what the tests asked of one candidate, they will most likely ask of the next.

A driver that waits for each answer before it asks again pays two changes of process per call. So
the longest conversation that the tests had is sent ahead, a window at a time, and each question the
tests really ask must be the next one that was sent. Where it is not, the candidate did what no
test asked for, so its judging is void and it is judged again with nothing asked ahead.

What a verdict rests on does not depend on it: answers come in order, a candidate waits after an
exception for the word that the test goes on, and what it does after the question that failed is
not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

from .frames import packed, send_packed
from .requests import AHEAD, GO

#: bytes on their way at any time, well below what a socket holds, so that sending never waits
_WINDOW_BYTES = 1 << 15
#: of one conversation that are kept
_MOST_BYTES = 1 << 20
_MOST_REQUESTS = 1000


class Mispredicted(BaseException):
    """The tests ask something else than what was sent ahead."""


class Foresight:
    """One conversation with one candidate, foreseen as far as `ahead` goes."""

    def __init__(self, ahead: Sequence[bytes] = ()) -> None:
        self._ahead = ahead
        self._asked = 0
        self._sent = 0
        self._on_the_way = 0
        self._was_ahead = False
        self._must_release = False
        self._is_predictable = True
        self._bytes = 0
        #: what was asked, for the next candidate
        self.conversation: list[bytes] = []

    def next_window(self) -> bytes:
        """The frames to send now; one that would fill the socket is asked when its turn comes."""
        frames = bytearray()
        while self._sent < len(self._ahead):
            request = self._ahead[self._sent]
            if self._on_the_way + len(request) > _WINDOW_BYTES:
                break
            frames += packed(AHEAD + request)
            self._on_the_way += len(request)
            self._sent += 1
        return bytes(frames)

    def ask(self, descriptor: int, request: bytes) -> None:
        """Send a request unless it is on its way. Raises Mispredicted and ChannelClosed."""
        self._remember(request)
        frames = packed(GO) if self._must_release else b""
        self._must_release = False
        is_foreseen = self._asked < len(self._ahead) and self._ahead[self._asked] == request
        if self._asked < self._sent and not is_foreseen:
            raise Mispredicted
        if self._on_the_way < _WINDOW_BYTES // 2 and is_foreseen:
            frames += self.next_window()
        self._was_ahead = self._asked < self._sent
        if self._was_ahead:
            self._on_the_way -= len(request)
        else:
            frames += packed(request)
            self._sent += 1
        self._asked += 1
        if not is_foreseen:
            self._ahead = ()
        if frames:
            send_packed(descriptor, frames)

    def exception(self) -> None:
        """An answer was an exception: the candidate waits if it was asked ahead."""
        self._must_release = self._was_ahead

    def digest(self) -> None:
        """An answer was a digest: the candidate waits for our word."""
        self._must_release = True

    def told(self) -> None:
        """The candidate had that word."""
        self._must_release = False

    def surprise(self) -> None:
        """This conversation holds what only this candidate can be asked. Raises Mispredicted."""
        self._is_predictable = False
        if self._asked < self._sent:
            raise Mispredicted

    def _remember(self, request: bytes) -> None:
        self._bytes += len(request)
        is_small = self._bytes <= _MOST_BYTES and len(self.conversation) < _MOST_REQUESTS
        self._is_predictable = self._is_predictable and is_small
        if self._is_predictable:
            self.conversation.append(request)

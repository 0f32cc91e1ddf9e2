"""Starts: how often each message was begun, so that one which kills its worker is parked.

Redis hands a message back whose worker died, and would do so for ever: what kills every worker
that takes it (out of memory, a crash below Python) would take a cluster down one host after the
other. So a start is counted in Redis before the work begins and forgotten when it ends, however
it ends: what is left are starts that no process lived to see the end of.

A neighbour of such a message dies with it. What has died before is therefore begun one at a time
in each process, so that the innocent ones soon end and only the guilty one goes on counting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from crucible_infra import log

#: one death can be chance (the machine's), two a coincidence
MOST_STARTS = 3

#: seconds a count outlives its message: longer than anything waits in a queue unanswered
_REMEMBERED_SECONDS = 86_400

_KEY = "crucible.starts."

#: begins what has died before, one at a time
_suspects = threading.Lock()


class Starts:
    """The starts of one worker process; safe to share between threads."""

    def __init__(self, client: Any, errors: tuple[type[Exception], ...]) -> None:
        self._client = client
        #: what the client raises when Redis is away
        self._errors = errors
        self._lock = threading.Lock()
        self._running: dict[str, float] = {}
        #: ended while Redis was away; told to it with the next
        self._untold: set[str] = set()

    @contextmanager
    def counted(self, message: str) -> Iterator[bool]:
        """Count for the length of a block; gives whether the message may be begun."""
        if self._begin(message) == 1:
            with self._ending(message):
                yield True
            return
        # it has not begun yet: it only waits for its turn among the others
        self._take_back(message)
        with _suspects, self._ending(message):
            yield self._begin(message) <= MOST_STARTS

    def live_on(self, message: str) -> None:
        """Note that a message which takes long is worked on; from now on its time runs anew."""
        with self._lock:
            if message in self._running:
                self._running[message] = time.monotonic()

    def longest_seconds(self) -> float:
        """How long the oldest of what runs has given no sign of life; 0 when nothing runs."""
        now = time.monotonic()
        with self._lock:
            return max((now - began for began in self._running.values()), default=0.0)

    def running(self) -> frozenset[str]:
        """The ids of the messages that are being worked on."""
        with self._lock:
            return frozenset(self._running)

    def forgive(self) -> int:
        """Forget what is still running, because it is handed back; returns how many."""
        running = self.running()
        self._forget(tuple(running))
        return len(running)

    def _begin(self, message: str) -> int:
        with self._lock:
            self._running[message] = time.monotonic()
        try:
            pipe = self._client.pipeline()
            pipe.incr(_KEY + message)
            pipe.expire(_KEY + message, _REMEMBERED_SECONDS)
            return int(pipe.execute()[0])
        except self._errors:
            # work goes on without Redis; it is told of the end, which makes up for it
            return 1

    @contextmanager
    def _ending(self, message: str) -> Iterator[None]:
        try:
            yield
        finally:
            with self._lock:
                self._running.pop(message, None)
            self._forget((message,))

    def _take_back(self, message: str) -> None:
        with self._lock:
            self._running.pop(message, None)
        with suppress(*self._errors):
            self._client.decr(_KEY + message)

    def _forget(self, messages: tuple[str, ...]) -> None:
        with self._lock:
            self._untold.update(messages)
            told = tuple(self._untold)
        try:
            if told:
                self._client.delete(*(_KEY + one for one in told))
        except self._errors as error:
            log.debug("starts_not_told", problem=str(error))
        else:
            with self._lock:
                self._untold.difference_update(told)


_starts: list[Starts] = []


def count_here(starts: Starts | None) -> None:
    """Count what this process begins from now on, or no longer; commands count nothing."""
    _starts[:] = [starts] if starts else []


def live_on(message: str) -> None:
    """Say that the work on a message goes on, so that it is not taken for hung."""
    for starts in _starts:
        starts.live_on(message)


@contextmanager
def counted(message: str | None) -> Iterator[bool]:
    """Count a start where this process counts; gives whether the message may be begun."""
    if message is None or not _starts:
        yield True
        return
    with _starts[0].counted(message) as may_begin:
        yield may_begin

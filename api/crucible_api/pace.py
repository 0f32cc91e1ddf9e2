"""Pace: how fast verdicts came in lately, and how long the rest takes at that rate.

An estimate is only as good as what it rests on: what came before the window is forgotten, because
hosts come and go and models differ, and until enough was seen in it there is no estimate.
"""

from __future__ import annotations

from collections import deque

#: a slow model answers in bursts, one message of 8 completions a minute; several must fit in, and
#: a host that left five minutes ago must not count any more
WINDOW_SECONDS = 300.0

#: less than this is a start-up, not a rate
MIN_SECONDS = 5.0

#: verdicts: fewer say nothing about the next ones
MIN_JUDGED = 5

#: looks kept per window; more would say the same
_LOOKS = 600


class Pace:
    """The rate at which a count grew within the last WINDOW_SECONDS."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()
        self._at_first: int | None = None
        self._judged = 0

    def note(self, now: float, judged: int) -> None:
        """There are so many verdicts now; `now` is in seconds and never runs back."""
        self._judged = judged
        if self._at_first is None:
            self._at_first = judged
        # the window opens with the first arrival: loading a model is not its pace
        if judged == self._at_first and not self._seen:
            return
        if not self._seen or now - self._seen[-1][0] >= WINDOW_SECONDS / _LOOKS:
            self._seen.append((now, judged))
        # one look at or before the window's begin stays, so that the window is covered
        while len(self._seen) > 1 and self._seen[1][0] <= now - WINDOW_SECONDS:
            self._seen.popleft()

    def seconds_for(self, count: int, now: float) -> float | None:
        """Seconds until so many more verdicts, at this rate; None while nobody can tell."""
        if not self._seen:
            return None
        first_time, first_judged = self._seen[0]
        elapsed, gained = now - first_time, self._judged - first_judged
        if elapsed < MIN_SECONDS or gained < MIN_JUDGED:
            return None
        return count * elapsed / gained

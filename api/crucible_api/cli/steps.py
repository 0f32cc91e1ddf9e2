"""Progress in steps on stderr: one line that changes on a terminal, else a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable

from crucible_api.cli.output import Voice
from crucible_api.cli.status_line import Drawing

#: in a log; work that is done before the first one needs no line
_LINE_EVERY_SECONDS = 5.0

#: on a terminal, which the eye follows no faster
_DRAWN_EVERY_SECONDS = 0.1

_COLUMNS = 79


class Steps(Drawing):
    """Says which step is being done and how far it is; closes with its line wiped away."""

    def __init__(self, voice: Voice, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._voice = voice
        self._clock = clock
        self._last = clock()

    def tell(self, step: str, done: int, of: int) -> None:
        """So many of so many parts of a step are done."""
        now = self._clock()
        every = _DRAWN_EVERY_SECONDS if self._voice.has_bar else _LINE_EVERY_SECONDS
        if now - self._last < every:
            return
        self._last = now
        line = f"{step}: {done} of {of}"[:_COLUMNS]
        if not self._voice.has_bar:
            self._voice.talk(line)
            return
        self._line.draw(line)

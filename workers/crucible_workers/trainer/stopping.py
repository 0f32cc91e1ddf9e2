"""A polite end: after SIGTERM the current step is finished and a checkpoint is left."""

from __future__ import annotations

import signal
from types import FrameType

from crucible_tasks.fine_tuning import EXIT_STOPPED


class StopRequest:
    """Whether somebody asked this process to stop."""

    def __init__(self) -> None:
        self.is_asked = False
        #: while there is something to save; before that, the process just ends
        self.is_heard = False

    def listen(self) -> None:
        """Take SIGTERM as a request, from now on."""
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.is_asked = True
        if not self.is_heard:
            raise SystemExit(EXIT_STOPPED)

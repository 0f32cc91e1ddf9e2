"""An answer that is shown as it comes, and kept."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import cast

from crucible_api.cli.output import plural
from crucible_api.cli.plain_screen import Screen
from crucible_api.cli.registered_names import with_names
from crucible_api.cli.status_line import StatusLine
from crucible_tasks.answering import AnswerEnd, AnswerEvent, Restarted


class ToldAnswer:
    """Shows the pieces of one answer and keeps them, also when it is interrupted."""

    def __init__(
        self, screen: Screen, *, is_held: bool = False, waiting: StatusLine | None = None
    ) -> None:
        self._screen = screen
        #: tells a terminal that an answer comes, where none of it is shown before its end
        self._waiting = waiting
        #: whether it is shown at its end only: where what is shown could not be taken back
        self._is_held = is_held
        self._text: list[str] = []
        self._length = 0
        self._reasoning: list[str] = []
        self.end: AnswerEnd | None = None

    @property
    def text(self) -> str:
        """What was said so far."""
        return "".join(self._text)

    @property
    def reasoning(self) -> str:
        """What was thought so far."""
        return "".join(self._reasoning)

    def tell(self, events: Iterator[AnswerEvent]) -> AnswerEnd:
        """Show everything; however this ends, the server's work ends with it."""
        with closing(cast("Generator[AnswerEvent, None, None]", events)) as pieces:
            try:
                self._show_waiting()
                for event in pieces:
                    self._take(event)
                self._wipe_waiting()
                if self._is_held:
                    self._screen.say(self.text)
            finally:
                self._wipe_waiting()
                self._screen.finish()
        assert self.end is not None
        return self.end

    def _take(self, event: AnswerEvent) -> None:
        if isinstance(event, AnswerEnd):
            self.end = event
        elif isinstance(event, Restarted):
            self._text.clear()
            self._length = 0
            self._reasoning.clear()
            self._wipe_waiting()
            self._screen.restart(with_names(event.reason))
        elif event.is_reasoning:
            self._reasoning.append(event.text)
            self._screen.think(event.text)
        else:
            self._text.append(event.text)
            self._length += len(event.text)
            self._show_waiting()
            if not self._is_held:
                self._screen.say(event.text)

    def _show_waiting(self) -> None:
        if self._waiting is not None:
            said = plural(self._length, "character")
            self._waiting.draw(f"{said} so far, shown at the end (Ctrl-C stops)")

    def _wipe_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.wipe()

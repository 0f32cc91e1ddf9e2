"""An answer written as it comes: text to stdout, reasoning to stderr, nothing a terminal obeys."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import cast

import click

from crucible_api.cli.harmless import harmless
from crucible_api.cli.output import Voice, plural
from crucible_api.cli.status_line import StatusLine
from crucible_tasks.answering import AnswerEnd, AnswerEvent, Restarted


class ToldAnswer:
    """Writes the pieces of one answer and keeps them, also when it is interrupted."""

    def __init__(self, voice: Voice, *, is_shown: bool = True, may_restart: bool = False) -> None:
        self._voice = voice
        self._is_shown = is_shown
        self._is_terminal = sys.stdout is not None and sys.stdout.isatty()
        #: a terminal's reader sees that an answer begins anew; a file's content could not be undone
        self._is_held = may_restart and not self._is_terminal
        #: tells a terminal that an answer comes, where none of it is shown before its end
        is_silent = voice.has_bar and (self._is_held or not is_shown)
        self._waiting = StatusLine() if is_silent else None
        self._text: list[str] = []
        self._length = 0
        self._reasoning: list[str] = []
        #: whether stderr stands behind reasoning that has not ended its line
        self._is_thinking = False
        #: whether stdout stands behind text that has not ended its line
        self._is_mid_line = False
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
        """Write everything; however this ends, the server's work ends with it."""
        with closing(cast("Generator[AnswerEvent, None, None]", events)) as pieces:
            try:
                self._show_waiting()
                for event in pieces:
                    self._take(event)
                self._wipe_waiting()
                if self._is_held:
                    self._write(self.text)
            finally:
                self._wipe_waiting()
                self._end_lines()
        assert self.end is not None
        return self.end

    def _show_waiting(self) -> None:
        if self._waiting is not None:
            said = plural(self._length, "character")
            self._waiting.draw(f"{said} so far, shown at the end (Ctrl-C stops)")

    def _wipe_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.wipe()

    def _take(self, event: AnswerEvent) -> None:
        if isinstance(event, AnswerEnd):
            self.end = event
        elif isinstance(event, Restarted):
            self._restart(event)
        elif event.is_reasoning:
            self._reasoning.append(event.text)
            self._think(event.text)
        else:
            self._end_thought()
            self._text.append(event.text)
            self._length += len(event.text)
            self._show_waiting()
            if not self._is_held:
                self._write(event.text)

    def _write(self, text: str) -> None:
        if self._is_shown and sys.stdout is not None:
            sys.stdout.write(harmless(text) if self._is_terminal else text)
            sys.stdout.flush()
            self._is_mid_line = not text.endswith("\n")

    def _think(self, text: str) -> None:
        stream = sys.stderr
        if stream is None or self._voice.is_quiet or not self._is_shown:
            return
        shown = harmless(text)
        stream.write(click.style(shown, dim=True) if self._voice.paints(stream) else shown)
        stream.flush()
        self._is_thinking = True

    def _restart(self, event: Restarted) -> None:
        self._wipe_waiting()
        self._end_lines()
        self._text.clear()
        self._length = 0
        self._reasoning.clear()
        self._voice.announce(event.reason)

    def _end_thought(self) -> None:
        if self._is_thinking and sys.stderr is not None:
            sys.stderr.write("\n")
            sys.stderr.flush()
        self._is_thinking = False

    def _end_lines(self) -> None:
        self._end_thought()
        if self._is_mid_line:
            self._write("\n")

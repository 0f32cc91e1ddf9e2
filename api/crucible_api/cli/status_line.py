"""A line on stderr that is drawn over itself and wiped away: whatever shows progress has one.

It takes a carriage return and blanks only, so it holds under NO_COLOR too and leaves the terminal
in order however the program ends.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self


class StatusLine:
    """Where the cursor stands while there is one; the terminal is that of its making."""

    def __init__(self) -> None:
        self._terminal = sys.stderr
        self._width = 0

    @property
    def is_there(self) -> bool:
        """Whether anything is drawn just now."""
        return self._width > 0

    def draw(self, text: str, paint: Callable[[str], str] = str) -> None:
        """Draw it in place of what is there; `paint` adds colours, which take no columns."""
        blanks = " " * (self._width - len(text))
        self._width = len(text)
        self._terminal.write(f"\r{paint(text)}{blanks}")
        self._terminal.flush()

    def wipe(self) -> None:
        """Take it away, the cursor back in the first column."""
        if self._width:
            self._terminal.write(f"\r{' ' * self._width}\r")
            self._width = 0


class Drawing:
    """Whatever draws one: it closes with its line wiped away."""

    def __init__(self) -> None:
        self._line = StatusLine()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._line.wipe()

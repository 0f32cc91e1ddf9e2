"""Progress on stderr: a bar on a terminal, otherwise a line per 10 % or 30 seconds."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TextIO, cast

import click

from crucible_api.cli.output import Voice, duration
from crucible_api.cli.status_line import StatusLine
from crucible_api.pace import Pace

#: where nothing overwrites itself, a log should stay readable
LINE_EVERY_SHARE = 0.1
LINE_EVERY_SECONDS = 30.0

#: redrawing more often than the eye follows costs the sandbox its CPU
BAR_EVERY_SECONDS = 0.1

_BAR_CELLS = 24


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a run or sweep is, counted in completions."""

    planned: int
    generated: int
    judged: int
    #: completions that will still get a verdict as things stand: not what was given up or paused
    left: int

    @property
    def share(self) -> float:
        """Of the completions, how many have a verdict; 0 to 1."""
        return min(1.0, self.judged / self.planned) if self.planned else 1.0


class Meter:
    """Shows the progress of a run or sweep; closes with the bar wiped away."""

    def __init__(
        self, voice: Voice, clock: Callable[[], float] = time.monotonic, *, label: str = ""
    ) -> None:
        self._voice = voice
        self._label = f"{label}  " if label else ""
        self._clock = clock
        self._started = clock()
        self._pace = Pace()
        self._last_share = 0.0
        self._last_time = self._started
        self._bar_line = StatusLine()
        self._done = ""

    def __enter__(self) -> Self:
        self._terminal = sys.stderr
        if self._voice.has_bar:
            sys.stderr = cast("TextIO", _Above(self._terminal, self.wipe))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.wipe()
        sys.stderr = self._terminal

    def wipe(self) -> None:
        """Take the bar away, the cursor back in the first column."""
        self._bar_line.wipe()

    def show(self, standing: Standing, *, done: str = "") -> None:
        """Say it if it is time to; `done` tells how many of several runs are."""
        self._done = f"{done}  " if done else ""
        now = self._clock()
        self._pace.note(now, standing.judged)
        if self._voice.has_bar:
            if now - self._last_time >= BAR_EVERY_SECONDS or not self._bar_line.is_there:
                self._last_time = now
                self._write(self._bar(standing))
        elif self._is_due(standing, now):
            self._last_time, self._last_share = now, standing.share
            self._voice.talk(self._line(standing))

    def _is_due(self, standing: Standing, now: float) -> bool:
        # a hair of slack: ten steps of 0.1 do not add up to 1.0
        if standing.share - self._last_share >= LINE_EVERY_SHARE - 1e-9:
            return True
        return now - self._last_time >= LINE_EVERY_SECONDS

    def _line(self, standing: Standing) -> str:
        return f"{self._label}{self._done}{self._text(standing)}"

    def _text(self, standing: Standing) -> str:
        parts = [f"{100 * standing.share:3.0f} %", f"{standing.judged}/{standing.planned} judged"]
        if standing.generated < standing.planned:
            parts.append(f"{standing.generated} sampled")
        parts.append(self._times(standing))
        return "  ".join(parts)

    def _times(self, standing: Standing) -> str:
        now = self._clock()
        elapsed = duration(now - self._started)
        if not standing.left:
            return elapsed
        left = self._pace.seconds_for(standing.left, now)
        told = "time left unknown" if left is None else f"about {duration(left)} left"
        return f"{elapsed}, {told}"

    def _bar(self, standing: Standing) -> str:
        full = round(_BAR_CELLS * standing.share)
        bar = f"{'█' * full}{'░' * (_BAR_CELLS - full)}"
        return f"{bar} {self._line(standing)}"

    def _write(self, text: str) -> None:
        shown = text[: _columns() - 1]
        self._bar_line.draw(shown, _green if self._voice.paints(self._terminal) else str)


def _green(text: str) -> str:
    return click.style(text[:_BAR_CELLS], fg="green") + text[_BAR_CELLS:]


class _Above:
    """Stands in for stderr while there is a bar, so that a log line is written above it."""

    def __init__(self, terminal: TextIO, wipe: Callable[[], None]) -> None:
        self._terminal = terminal
        self._wipe = wipe

    def write(self, text: str) -> int:
        self._wipe()
        return self._terminal.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._terminal, name)


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80

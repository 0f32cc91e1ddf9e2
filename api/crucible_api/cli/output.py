"""What is said where: stdout carries the answer only, stderr carries the talk."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Any

import click

from crucible_api.cli.harmless import harmless, harmless_json
from crucible_infra.settings import Settings, of_environment

#: terminals that cannot move a cursor or show a colour
_DUMB = ("dumb", "unknown")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    title: str
    is_number: bool = False
    style: str = ""
    #: ids and the like, which nobody can read or copy when they are broken; numbers never are
    is_whole: bool = False
    #: left out where the terminal is too narrow for all
    is_extra: bool = False

    @property
    def can_fold(self) -> bool:
        """Whether a narrow terminal may break it over several lines."""
        return not (self.is_number or self.is_whole)


def is_painted(choice: str, *, is_terminal: bool, settings: Settings) -> bool:
    """Whether to colour a stream: `--color`, then FORCE_COLOR, then NO_COLOR, then the stream."""
    if choice != "auto":
        return choice == "always"
    if settings.force_color:
        return True
    return is_terminal and not settings.no_color and settings.terminal not in _DUMB


def is_animated(*, is_terminal: bool, is_quiet: bool, settings: Settings) -> bool:
    """Whether stderr gets a progress bar that overwrites itself."""
    return is_terminal and not is_quiet and not settings.is_ci and settings.terminal not in _DUMB


@dataclass(frozen=True, slots=True)
class Voice:
    """How this invocation speaks."""

    is_json: bool = False
    is_quiet: bool = False
    color: str = "auto"

    @property
    def has_bar(self) -> bool:
        """Whether stderr gets a progress bar."""
        return is_animated(
            is_terminal=_is_terminal(sys.stderr), is_quiet=self.is_quiet, settings=of_environment()
        )

    def paints(self, stream: IO[str]) -> bool:
        """Whether to colour this stream."""
        return is_painted(self.color, is_terminal=_is_terminal(stream), settings=of_environment())

    def talk(self, text: str) -> None:
        """Tell people something on stderr, unless they asked for quiet."""
        if not self.is_quiet:
            self._say(text)

    def announce(self, text: str) -> None:
        """Tell people something on stderr even if they asked for quiet."""
        self._say(text)

    def warn(self, text: str) -> None:
        """Tell people something on stderr that they must not miss."""
        self._say(f" {text}", self._style("warning:", fg="yellow"))

    def fail(self, message: str, hint: str | None) -> None:
        """Say what went wrong on the first line, and what to do about it on the next."""
        self._say(f" {message}", self._style("error:", fg="red", bold=True))
        for line in (hint or "").splitlines():
            self._say(f" {line}", self._style("hint:", fg="cyan"))

    def answer(self, text: str) -> None:
        """Write a part of the answer to stdout; it may quote a server, or a model's name."""
        self._write(harmless(text))

    def data(self, value: object) -> None:
        """Write the answer as one JSON document, without colour."""
        self._write(harmless_json(as_json(value)))

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """Write a table to stdout.

        A pipe gets it as wide as it needs to be. On a terminal that is too narrow, columns are
        folded or left out as they allow, and where that is not enough each row becomes a list.
        """
        from crucible_api.cli import tables

        width = tables.columns_of_terminal() if _is_terminal(sys.stdout) else None
        painted = self.paints(sys.stdout)
        shown = [[harmless(cell) for cell in row] for row in rows]
        self._write(tables.drawn(tables.Table(columns, shown), width, is_painted=painted))

    def _write(self, text: str) -> None:
        if sys.stdout is not None:
            click.echo(text, color=self.paints(sys.stdout))

    def _say(self, text: str, label: str = "") -> None:
        # a message may quote a server, or a model's name
        if sys.stderr is not None:
            click.echo(label + harmless(text), err=True, color=self.paints(sys.stderr))

    def _style(self, text: str, **style: Any) -> str:
        return click.style(text, **style)


@dataclass(slots=True)
class Speaker:
    """Whose turn it is to speak: the command's own voice as soon as its options are read."""

    voice: Voice = field(default_factory=Voice)


def as_json(value: object) -> str:
    """One JSON document; NaN becomes null, because JSON has no NaN."""
    return json.dumps(_finite(value), ensure_ascii=False, indent=2)


def percent(value: float) -> str:
    """A share as people read it: 62.8 %."""
    return "n/a" if math.isnan(value) else f"{100 * value:.1f} %"


def coverage_text(coverage: float) -> str:
    """Coverage without rounding anything missing away: 99.97 % is not 100 %."""
    return "100 %" if coverage >= 1 else f"{math.floor(1000 * coverage) / 10:.1f} %"


def duration(seconds: float) -> str:
    """A time span as people read it: 0:42, 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def plural(count: int, noun: str) -> str:
    """A count and its noun: 1 run, 2 runs."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _is_terminal(stream: IO[str] | None) -> bool:
    return stream is not None and stream.isatty()

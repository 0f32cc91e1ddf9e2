"""What is said where: stdout carries the answer only, stderr carries the talk."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Any

import click

from crucible_infra.settings import Settings, current

#: terminals that cannot move a cursor or show a colour
_DUMB = ("dumb", "unknown")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    title: str
    is_number: bool = False
    style: str = ""


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
            is_terminal=_is_terminal(sys.stderr), is_quiet=self.is_quiet, settings=current()
        )

    def paints(self, stream: IO[str]) -> bool:
        """Whether to colour this stream."""
        return is_painted(self.color, is_terminal=_is_terminal(stream), settings=current())

    def talk(self, text: str) -> None:
        """Tell people something on stderr, unless they asked for quiet."""
        if not self.is_quiet:
            self._say(text)

    def announce(self, text: str) -> None:
        """Tell people something on stderr even if they asked for quiet."""
        self._say(text)

    def warn(self, text: str) -> None:
        """Tell people something on stderr that they must not miss."""
        self._say(f"{self._style('warning:', fg='yellow')} {text}")

    def fail(self, message: str, hint: str | None) -> None:
        """Say what went wrong on the first line, and what to do about it on the next."""
        self._say(f"{self._style('error:', fg='red', bold=True)} {message}")
        for line in (hint or "").splitlines():
            self._say(f"{self._style('hint:', fg='cyan')} {line}")

    def answer(self, text: str) -> None:
        """Write a part of the answer to stdout."""
        if sys.stdout is not None:
            click.echo(text, color=self.paints(sys.stdout))

    def data(self, value: object) -> None:
        """Write the answer as one JSON document, without colour."""
        self.answer(as_json(value))

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        """Write a table to stdout; a pipe gets it as wide as it needs to be."""
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        painted = self.paints(sys.stdout)
        console = Console(
            file=sys.stdout,
            color_system="standard" if painted else None,
            force_terminal=painted,
            width=None if _is_terminal(sys.stdout) else _width(columns, rows),
        )
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        for column in columns:
            justify: Any = "right" if column.is_number else "left"
            table.add_column(column.title, justify=justify, style=column.style, overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        with console.capture() as capture:
            console.print(table)
        # rich pads every line to the table's width; pipes are better off without the blanks
        lines = capture.get().splitlines()
        self.answer("\n".join(line.rstrip() for line in lines))

    def _say(self, text: str) -> None:
        if sys.stderr is not None:
            click.echo(text, err=True, color=self.paints(sys.stderr))

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


def _width(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> int:
    titles = [[column.title for column in columns], *rows]
    # two blanks between columns, and generously one cell per character for wide scripts
    return sum(2 * max(len(row[i]) for row in titles) + 2 for i in range(len(columns))) + 1

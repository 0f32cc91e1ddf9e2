"""Tables that stay readable: as wide as they need in a pipe, and within a terminal of any width."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click
from rich.cells import cell_len

from crucible_api.cli.output import Column

#: blanks between two columns
_GAP = 2

#: cells below which a folded column is worse than a list
_NARROWEST = 16


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and the rows below them."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]

    def widths(self) -> list[int]:
        """Cells that each column takes when nothing is folded."""
        lines = [[column.title for column in self.columns], *self.rows]
        return [max(cell_len(line[i]) for line in lines) for i in range(len(self.columns))]

    def narrowest(self) -> int:
        """Cells that the whole table takes with every foldable column at its narrowest."""
        pairs = zip(self.columns, self.widths(), strict=True)
        least = (min(width, _NARROWEST) if one.can_fold else width for one, width in pairs)
        return sum(least) + _GAP * (len(self.columns) - 1)

    def without_extras(self) -> Table:
        """The same without the columns that may be left out."""
        kept = [i for i, column in enumerate(self.columns) if not column.is_extra]
        return Table([self.columns[i] for i in kept], [[row[i] for i in kept] for row in self.rows])


def columns_of_terminal() -> int:
    """Cells in a line of the terminal."""
    return shutil.get_terminal_size().columns


def drawn(table: Table, width: int | None, *, is_painted: bool) -> str:
    """The table as text: within so many cells, or as wide as it needs to be."""
    if width is None or table.narrowest() <= width:
        return _as_table(table, width, is_painted=is_painted)
    smaller = table.without_extras()
    if smaller.narrowest() <= width:
        return _as_table(smaller, width, is_painted=is_painted)
    return _as_lists(table, is_painted=is_painted)


def _as_table(table: Table, width: int | None, *, is_painted: bool) -> str:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    needed = sum(table.widths()) + _GAP * len(table.columns)
    console = Console(
        color_system="standard" if is_painted else None,
        force_terminal=is_painted,
        width=needed if width is None else min(needed, width),
    )
    shown = RichTable(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    for column, cells in zip(table.columns, table.widths(), strict=True):
        justify: Any = "right" if column.is_number else "left"
        least = None if column.can_fold else cells
        shown.add_column(
            column.title,
            justify=justify,
            style=column.style,
            overflow="fold",
            min_width=least,
            no_wrap=not column.can_fold,
        )
    for row in table.rows:
        shown.add_row(*(Text(cell) for cell in row))
    with console.capture() as capture:
        console.print(shown)
    # rich pads every line to the table's width; pipes are better off without the blanks
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def _as_lists(table: Table, *, is_painted: bool) -> str:
    """One line per cell; a line that is too long is left to the terminal, which copies it whole."""
    reach = max(cell_len(column.title) for column in table.columns) + _GAP
    blocks = [
        "\n".join(
            f"{_title(column, reach, is_painted=is_painted)}{cell}"
            for column, cell in zip(table.columns, row, strict=True)
        )
        for row in table.rows
    ]
    return "\n\n".join(blocks)


def _title(column: Column, reach: int, *, is_painted: bool) -> str:
    blanks = " " * (reach - cell_len(column.title))
    return (click.style(column.title, bold=True) if is_painted else column.title) + blanks

"""Tables are whole in a pipe and readable in a terminal of 80 columns."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from crucible_api.cli import report, runs_list
from crucible_api.cli.output import Column
from crucible_api.cli.tables import Table, drawn
from crucible_tasks.planning import RunState

RUN = "20260131-120000-abcd"
MODEL = "openai:http://localhost:11434/v1#qwen2.5-coder:1.5b-instruct"
INTERVAL = "62.8 %  [55.2, 69.8]"

COLUMNS = (
    Column("model"),
    Column("pass@1  [95 % interval]", is_number=True),
    Column("started", is_whole=True, is_extra=True),
    Column("run", is_whole=True),
)
ROW = (MODEL, INTERVAL, "2026-01-31 12:00", RUN)
TABLE = Table(COLUMNS, [ROW, ROW])


def test_a_pipe_gets_one_line_for_each_row_however_long() -> None:
    lines = drawn(TABLE, None, is_painted=False).splitlines()
    assert len(lines) == 3
    assert all(cell in lines[1] for cell in ROW)


@pytest.mark.parametrize("width", [200, 100, 94, 80, 70, 40])
def test_ids_and_intervals_are_never_broken(width: int) -> None:
    text = drawn(TABLE, width, is_painted=False)
    lines = text.splitlines()
    assert sum(RUN in line for line in lines) == 2
    assert sum(INTERVAL in line for line in lines) == 2
    if width >= 70:
        assert max(cell_len(line) for line in lines) <= max(width, len(MODEL) + 25)
    # nothing of the folded model is lost
    assert "".join(re.findall(r"\S+", text)).count("qwen2.5-coder") >= (2 if width > 150 else 0)


def test_a_narrower_terminal_folds_then_leaves_out_then_lists() -> None:
    folded, smaller, listed = (drawn(TABLE, width, is_painted=False) for width in (94, 70, 50))
    assert folded.splitlines()[0].split()[-2:] == ["started", "run"]
    assert "started" not in smaller
    assert max(map(cell_len, folded.splitlines())) <= 94
    assert max(map(cell_len, smaller.splitlines())) <= 70
    first, second = listed.split("\n\n")
    assert first == second
    assert [line.split()[0] for line in first.splitlines()] == ["model", "pass@1", "started", "run"]


def test_wide_scripts_are_measured_in_cells() -> None:
    table = Table((Column("model"), Column("run", is_whole=True)), [("模" * 30, RUN)])
    for line in drawn(table, 50, is_painted=False).splitlines():
        assert cell_len(line) <= 50


def test_the_list_of_runs_fits_into_80_columns_with_every_state() -> None:
    rows = [
        (RUN, "2026-01-31 12:00", "benchmark", str(state), MODEL, "humaneval+ (164)", "200")
        for state in RunState
    ]
    lines = drawn(Table(runs_list.COLUMNS, rows), 80, is_painted=False).splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert sum(RUN in line for line in lines) == len(rows)


def test_what_isolated_nothing_is_named_so() -> None:
    assert report.isolation_text("namespaces") == "namespaces"
    assert report.isolation_text("namespaces and process") == "namespaces and NONE (process)"
    assert report.isolation_text(None) == ""

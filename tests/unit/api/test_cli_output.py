"""Colour, progress and number formats follow the environment."""

from __future__ import annotations

import json

import pytest

from crucible_api.cli.output import (
    Column,
    Voice,
    as_json,
    duration,
    is_animated,
    is_painted,
    percent,
    plural,
)
from crucible_infra.settings import read


@pytest.mark.parametrize(
    ("choice", "is_terminal", "environment", "expected"),
    [
        ("auto", True, {"TERM": "xterm"}, True),
        ("auto", False, {"TERM": "xterm"}, False),
        ("auto", True, {"TERM": "dumb"}, False),
        ("auto", True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        ("auto", True, {"TERM": "xterm", "NO_COLOR": ""}, True),
        ("auto", False, {"FORCE_COLOR": "1"}, True),
        ("auto", False, {"FORCE_COLOR": "0"}, False),
        ("auto", False, {"CLICOLOR_FORCE": "1"}, True),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colour_follows_the_flag_then_the_environment_then_the_terminal(
    choice: str, *, is_terminal: bool, environment: dict[str, str], expected: bool
) -> None:
    assert is_painted(choice, is_terminal=is_terminal, settings=read(environment)) is expected


@pytest.mark.parametrize(
    ("is_terminal", "is_quiet", "environment", "expected"),
    [
        (True, False, {"TERM": "xterm"}, True),
        (False, False, {"TERM": "xterm"}, False),
        (True, True, {"TERM": "xterm"}, False),
        (True, False, {"TERM": "xterm", "CI": "true"}, False),
        (True, False, {"TERM": "dumb"}, False),
        (True, False, {"TERM": "xterm", "NO_COLOR": "1"}, True),
    ],
)
def test_a_bar_needs_a_terminal_that_is_no_ci(
    *, is_terminal: bool, is_quiet: bool, environment: dict[str, str], expected: bool
) -> None:
    settings = read(environment)
    assert is_animated(is_terminal=is_terminal, is_quiet=is_quiet, settings=settings) is expected


def test_nan_becomes_null_because_json_has_no_nan() -> None:
    text = as_json({"value": float("nan"), "bounds": [0.5, float("inf")]})
    assert json.loads(text) == {"value": None, "bounds": [0.5, None]}


def test_numbers_read_as_people_write_them() -> None:
    assert percent(0.62839) == "62.8 %"
    assert percent(float("nan")) == "n/a"
    assert duration(42.9) == "0:42"
    assert duration(3723) == "1:02:03"
    assert plural(1, "run") == "1 run"
    assert plural(164, "challenge") == "164 challenges"


def test_a_piped_table_is_never_folded_or_coloured(capsys: pytest.CaptureFixture[str]) -> None:
    long = "a" * 300
    columns = (Column("model"), Column("pass@1", is_number=True))
    Voice().table(
        columns, [(long, "62.8 %"), ("[bold]b[/bold] \N{GREEK SMALL LETTER ALPHA}", "1.0 %")]
    )
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert long in lines[1]
    assert "[bold]b[/bold] \N{GREEK SMALL LETTER ALPHA}" in lines[2]
    assert lines[2].endswith("  1.0 %")
    assert "\x1b" not in "".join(lines)
    assert all(line == line.rstrip() for line in lines)


def test_no_part_of_an_answer_is_obeyed_by_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b]0;title\x07\x1b[2J \x9b31m \u202eevil"
    voice = Voice()
    voice.answer(evil)
    voice.table([Column("model"), Column("n")], [[evil, "1"]])
    voice.data({"model": evil})
    said = capsys.readouterr().out

    assert not set("\x1b\x07\x9b\u202e") & set(said)
    assert json.loads(said[said.index("{") :]) == {"model": evil}

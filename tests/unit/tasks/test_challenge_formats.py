"""Each published format becomes challenges; what has no format is refused with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crucible_infra.errors import FormatError
from crucible_tasks.challenge import Challenge, Language, Limits, ScriptTests
from crucible_tasks.challenges import load, open_dataset

DATA = Path(__file__).with_name("data")


def _challenges(name: str) -> tuple[Challenge, ...]:
    return open_dataset(str(DATA / name)).challenges


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


def _problem(directory: Path, *rows: object) -> str:
    path = directory / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(FormatError) as caught:
        load(path, "mine")
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.message
    return caught.value.message.removeprefix(str(path))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("humaneval.jsonl", "humaneval"),
        ("humaneval_originfmt.jsonl", "humaneval"),
        ("humaneval_plus.jsonl", "humaneval+"),
        ("mbpp_plus.jsonl", "mbpp+"),
        ("mbpp.jsonl", "mbpp"),
        ("mbpp_sanitized.json", "mbpp-sanitized"),
        ("mbpp_plus_originfmt.jsonl", "mbpp+originfmt"),
        ("multipl_e.jsonl", "multipl-e"),
        ("humaneval_x.jsonl", "humaneval-x"),
        ("humanevalpack.jsonl", "humanevalpack"),
        ("livecodebench_stdin.jsonl", "livecodebench"),
        ("livecodebench_functional.jsonl", "livecodebench"),
        ("own.jsonl", "crucible"),
    ],
)
def test_the_format_is_told_by_the_fields(tmp_path: Path, name: str, expected: str) -> None:
    renamed = tmp_path / "HumanEval.jsonl"
    renamed.write_bytes((DATA / name).read_bytes())
    assert load(renamed, "mine").format == expected


def test_a_humaneval_row_runs_check_on_its_entry_point() -> None:
    challenge = _challenges("humaneval.jsonl")[0]
    assert challenge.task_id == "Greeting/0"
    assert challenge.reference is not None
    assert isinstance(challenge.tests, ScriptTests)
    exec(challenge.reference + "\n" + challenge.tests.source, {})
    with pytest.raises(AssertionError):
        exec("def greet(name): return name\n" + challenge.tests.source, {})
    assert challenge.limits == Limits(cpu_seconds=3.0)


def test_a_table_of_inputs_gets_more_time() -> None:
    challenge = _challenges("humaneval_originfmt.jsonl")[0]
    assert challenge.limits.cpu_seconds == 20.0


def test_multipl_e_ids_hold_the_language() -> None:
    script, java = _challenges("multipl_e.jsonl")
    assert (script.task_id, java.task_id) == ("js/HumanEval_0_add_one", "java/HumanEval_0_add_one")
    assert (script.language, java.language) == (Language.JAVASCRIPT, Language.OTHER)
    assert (script.entry_point, java.entry_point) == ("add_one", None)
    assert (script.stop, java.stop) == (("\nfunction ", "\n//"), ("\n    }\n",))


def test_stop_tokens_that_are_no_list_are_named(tmp_path: Path) -> None:
    row = _rows("multipl_e.jsonl")[0] | {"stop_tokens": "oops"}
    assert _problem(tmp_path, row).startswith(":1: `stop_tokens` is no JSON list of strings")


def test_javascript_assertions_are_made_to_raise() -> None:
    script, go = _challenges("humaneval_x.jsonl")
    assert isinstance(script.tests, ScriptTests)
    assert script.tests.source.startswith("console.assert = require('node:assert').ok;\n")
    assert (script.language, script.entry_point) == (Language.JAVASCRIPT, "addOne")
    assert isinstance(go.tests, ScriptTests)
    assert go.tests.source.startswith("package main\n")


def test_humanevalpack_python_tests_call_themselves() -> None:
    challenge = _challenges("humanevalpack.jsonl")[0]
    assert challenge.entry_point == "add_one"
    assert isinstance(challenge.tests, ScriptTests)
    with pytest.raises(AssertionError):
        exec("def add_one(x): return x\n" + challenge.tests.source, {})


def test_duplicate_ids_name_both_lines(tmp_path: Path) -> None:
    first, second = _rows("humaneval.jsonl")
    assert (
        _problem(tmp_path, first, second, first)
        == ":3: duplicate id: 'Greeting/0' stands on line 1 already"
    )
    path = tmp_path / "array.json"
    path.write_text(json.dumps([first, first]))
    with pytest.raises(FormatError, match=":1: duplicate id: 'Greeting/0' stands on line 1"):
        load(path, "mine")


def test_a_missing_field_is_named_with_its_line(tmp_path: Path) -> None:
    first, second = _rows("humaneval.jsonl")
    del second["entry_point"]
    assert (
        _problem(tmp_path, first, second)
        == ":2: lacks `entry_point`, which a humaneval row must have"
    )
    assert (
        _problem(tmp_path, second, first)
        == ":1: lacks `declaration` to be a humaneval-x row or `entry_point` to be a humaneval row"
    )


def test_rows_of_mixed_formats_are_refused(tmp_path: Path) -> None:
    mixed = [_rows("humaneval.jsonl")[0], _rows("mbpp.jsonl")[0]]
    assert _problem(tmp_path, *mixed) == ":2: a mbpp row among humaneval rows"


def test_unknown_fields_list_what_is_known(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"question": "?", "answer": "!"}\n')
    with pytest.raises(FormatError) as caught:
        load(path, "mine")
    assert caught.value.message.endswith(
        "rows.jsonl:1: no known format has the fields `answer`, `question`"
    )
    assert "humaneval: canonical_solution, entry_point, prompt, task_id, test" in str(
        caught.value.hint
    )


def test_a_field_of_the_wrong_type_is_named(tmp_path: Path) -> None:
    row = _rows("humaneval.jsonl")[0] | {"prompt": 7}
    expected = ":1: humaneval row: Expected `str`, got `int` - at `$.prompt`"
    assert _problem(tmp_path, row) == expected


def test_half_a_surrogate_pair_names_its_row(tmp_path: Path) -> None:
    first, second = _rows("humaneval.jsonl")
    second["prompt"] = "\ud800"
    assert _problem(tmp_path, first, second) == ":2: a text holds half a surrogate pair"


def test_an_empty_id_is_refused(tmp_path: Path) -> None:
    row = _rows("humaneval.jsonl")[0] | {"task_id": ""}
    assert _problem(tmp_path, row) == ":1: the id is empty"

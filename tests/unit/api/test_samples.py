from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from crucible_api.samples import read_samples
from crucible_infra.errors import FormatError
from crucible_tasks.completion import Form
from crucible_tasks.planning import ImportedCompletion


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "samples.jsonl"
    path.write_text(text, encoding="utf-8")
    return path


def test_each_field_has_its_form(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        '{"task_id": "T/0", "completion": "a"}\n\n'
        '{"task_id": "T/1", "solution": "b", "_extra": 1}\n'
        '{"task_id": 2, "response": "c"}\n',
    )
    assert read_samples(path) == [
        ImportedCompletion("T/0", Form.COMPLETION, "a", 1),
        ImportedCompletion("T/1", Form.SOLUTION, "b", 3),
        ImportedCompletion("2", Form.RESPONSE, "c", 4),
    ]


def test_a_solution_wins_over_a_completion(tmp_path: Path) -> None:
    path = _file(tmp_path, '{"task_id": "T/0", "completion": "a", "solution": "b"}\n')
    assert [(one.form, one.text) for one in read_samples(path)] == [(Form.SOLUTION, "b")]


def test_an_empty_answer_is_an_answer(tmp_path: Path) -> None:
    path = _file(tmp_path, '{"task_id": "T/0", "completion": ""}\n')
    assert read_samples(str(path))[0].text == ""


def test_gzip_is_read(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"task_id": "T/0", "completion": "a"}\n'))
    assert len(read_samples(path)) == 1


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("{", "not JSON"),
        ('{"completion": "a"}', "no task_id"),
        ('{"task_id": true, "completion": "a"}', "no task_id"),
        ('{"task_id": "T/0"}', "none of solution, completion, response"),
        ('{"task_id": "T/0", "completion": null}', "none of"),
        ('{"task_id": "T/0", "completion": 1}', "completion is not a text"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path: Path, row: str, problem: str) -> None:
    path = _file(tmp_path, f'{{"task_id": "T/0", "completion": "a"}}\n{row}\n')
    with pytest.raises(FormatError, match=problem) as caught:
        read_samples(path)
    assert caught.value.message.startswith(f"{path}:2: ")


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_file_without_rows_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(FormatError, match="empty"):
        read_samples(_file(tmp_path, text))


def test_evalplus_directories_are_read_in_their_own_order(tmp_path: Path) -> None:
    for folder, number in (("HumanEval_10", 0), ("HumanEval_2", 10), ("HumanEval_2", 9)):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{number}.py").write_text(f"{folder} {number}")
    found = read_samples(tmp_path)
    assert [(one.task_id, one.text) for one in found] == [
        ("HumanEval/2", "HumanEval_2 9"),
        ("HumanEval/2", "HumanEval_2 10"),
        ("HumanEval/10", "HumanEval_10 0"),
    ]
    assert {(one.form, one.line) for one in found} == {(Form.SOLUTION, 0)}


def test_a_directory_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no CHALLENGE/NUMBER"):
        read_samples(tmp_path)


def test_a_program_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "T_0").mkdir()
    (tmp_path / "T_0" / "0.py").write_bytes(b"\xff")
    with pytest.raises(FormatError, match=r"0\.py: not UTF-8"):
        read_samples(tmp_path)

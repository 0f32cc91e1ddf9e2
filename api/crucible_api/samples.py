"""Reads completions other tools have written: HumanEval's and EvalPlus' sample files."""

from __future__ import annotations

import re
from pathlib import Path

from crucible_infra.errors import FormatError
from crucible_tasks.challenges.rows import Row, read_rows
from crucible_tasks.completion import Finish, Form
from crucible_tasks.planning import ImportedCompletion

#: the first of these that a row holds is its answer; that `solution` wins over `completion` is
#: EvalPlus' rule
_FIELDS = {
    "solution": Form.SOLUTION,
    "completion": Form.COMPLETION,
    "response": Form.RESPONSE,
    # our own export's, for a base model's raw text
    "continuation": Form.CONTINUATION,
}


def read_samples(path: str | Path) -> list[ImportedCompletion]:
    """The completions of a .jsonl, .jsonl.gz or .json file, or of an EvalPlus directory.

    Raises FormatError naming file and line for bad JSON, missing fields, wrong types, and a file
    that holds nothing.
    """
    source = Path(path)
    if source.is_dir():
        return _directory(source)
    return [_completion(source, row) for row in read_rows(source)]


def _completion(path: Path, row: Row) -> ImportedCompletion:
    task_id = row.fields.get("task_id")
    # MBPP's ids are numbers
    if isinstance(task_id, bool) or not isinstance(task_id, str | int):
        raise FormatError.at(path, row.line, "no task_id")
    name = next((name for name in _FIELDS if row.fields.get(name) is not None), None)
    if name is None:
        raise FormatError.at(path, row.line, f"none of {', '.join(_FIELDS)}")
    text = row.fields[name]
    if not isinstance(text, str):
        raise FormatError.at(path, row.line, f"{name} is not a text")
    return ImportedCompletion(str(task_id), _FIELDS[name], text, row.line, _finish(path, row))


def _finish(path: Path, row: Row) -> Finish:
    """Why the model stopped, which our own export tells; others say nothing."""
    value = row.fields.get("finish")
    try:
        return Finish.STOP if value is None else Finish(value)
    except ValueError as error:
        known = ", ".join(Finish)
        raise FormatError.at(path, row.line, f"finish is none of {known}") from error


def _directory(directory: Path) -> list[ImportedCompletion]:
    """EvalPlus' layout: HumanEval_0/0.py, HumanEval_0/1.py, … are whole programs."""
    programs = [path for path in directory.glob("*/*.py") if path.stem.isdigit()]
    if not programs:
        raise FormatError.at(directory, None, "no CHALLENGE/NUMBER.py in this directory")
    return [
        ImportedCompletion(_task_id(path.parent.name), Form.SOLUTION, _text(path), 0)
        for path in sorted(programs, key=_natural_order)
    ]


def _task_id(folder: str) -> str:
    # EvalPlus writes / as _; only the last one was surely a /
    before, separator, after = folder.rpartition("_")
    return f"{before}/{after}" if separator else folder


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise FormatError.at(path, None, f"not UTF-8 text ({error.reason})") from error
    except OSError as error:
        raise FormatError.at(path, None, f"cannot be read: {error.strerror}") from error


def _natural_order(path: Path) -> tuple[str, int, int]:
    numbers = re.findall(r"\d+", path.parent.name)
    stem = re.sub(r"\d+$", "", path.parent.name)
    return stem, int(numbers[-1]) if numbers else 0, int(path.stem)

"""The published files load whole, and every Python program in them compiles."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path

import pytest

from crucible_tasks.challenge import Challenge, Language, OracleTests, ScriptTests
from crucible_tasks.challenges import decode, encode, open_dataset

FILES = {
    "HumanEval.jsonl.gz": ("humaneval", 164, 3.0),
    "HumanEvalPlus.jsonl.gz": ("humaneval+", 164, 20.0),
    "HumanEvalPlus-OriginFmt.jsonl.gz": ("humaneval", 164, 20.0),
    "mbpp.jsonl": ("mbpp", 974, 3.0),
    "humaneval_x_js.jsonl.gz": ("humaneval-x", 164, 3.0),
}


@pytest.mark.parametrize("name", FILES)
def test_a_published_file_loads_whole(datasets_directory: Path, name: str) -> None:
    dataset = open_dataset(str(datasets_directory / name))
    source_format, count, cpu_seconds = FILES[name]
    assert (dataset.format, len(dataset.challenges)) == (source_format, count)
    assert {item.limits.cpu_seconds for item in dataset.challenges} == {cpu_seconds}
    assert all(item.entry_point and item.reference for item in dataset.challenges)
    assert decode(encode(dataset)).challenges == dataset.challenges


@pytest.mark.parametrize("name", FILES)
def test_every_python_program_compiles(datasets_directory: Path, name: str) -> None:
    with warnings.catch_warnings():
        # published solutions hold regular expressions with invalid escapes
        warnings.simplefilter("ignore")
        for challenge in open_dataset(str(datasets_directory / name)).challenges:
            for source in _python_sources(challenge):
                compile(source, challenge.task_id, "exec")


def _python_sources(challenge: Challenge) -> list[str]:
    if challenge.language is not Language.PYTHON:
        return []
    sources = [challenge.reference or ""]
    if isinstance(challenge.tests, ScriptTests):
        sources.append(challenge.tests.source)
    if isinstance(challenge.tests, OracleTests):
        sources.append(challenge.tests.inputs)
    return sources


def test_humaneval_plus_has_one_special_comparison(datasets_directory: Path) -> None:
    dataset = open_dataset(str(datasets_directory / "HumanEvalPlus.jsonl.gz"))
    oracles = Counter(
        item.tests.oracle for item in dataset.challenges if isinstance(item.tests, OracleTests)
    )
    assert oracles == {"equal": 163, "polynomial_root": 1}

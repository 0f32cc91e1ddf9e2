"""LiveCodeBench rows, and the pickles in them that nobody should load."""

from __future__ import annotations

import base64
import json
import os
import pickle
import zlib
from pathlib import Path
from typing import Any

import pytest

from crucible_infra.errors import FormatError
from crucible_tasks.challenge import Challenge, ScriptTests, StdioCase, StdioTests
from crucible_tasks.challenges import load, open_dataset
from crucible_tasks.challenges.pickled_text import pickled_text

DATA = Path(__file__).with_name("data")


class _Attack:
    """Unpickling this would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def _packed(value: object) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


def _changed(directory: Path, name: str, **changes: str) -> Challenge:
    row = json.loads((DATA / name).read_text()) | changes
    path = directory / "rows.jsonl"
    path.write_text(json.dumps(row))
    return load(path, "mine").challenges[0]


def test_public_and_private_cases_are_graded_together() -> None:
    challenge = open_dataset(str(DATA / "livecodebench_stdin.jsonl")).challenges[0]
    assert challenge.tests == StdioTests((StdioCase("3\n4\n", "7\n"), StdioCase("1\n1\n", "2\n")))
    assert (challenge.task_id, challenge.entry_point) == ("abc1_a", None)
    assert not challenge.prompt_is_code


def test_a_method_is_asserted_on_and_a_tuple_equals_a_list() -> None:
    challenge = open_dataset(str(DATA / "livecodebench_functional.jsonl")).challenges[0]
    assert isinstance(challenge.tests, ScriptTests)
    assert "class Solution:" in challenge.prompt
    body = "class Solution:\n    def flip(self, xs, by):\n        return {} if xs else None\n"
    for answer in ("xs[::-1]", "tuple(xs[::-1])"):
        exec(body.format(answer) + challenge.tests.source, {})
    with pytest.raises(AssertionError):
        exec(body.format("xs") + challenge.tests.source, {})


def test_a_hostile_pickle_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    sign = tmp_path / "attacked"
    with pytest.raises(FormatError, match=r"rows\.jsonl:1: a pickle may only hold text") as caught:
        _changed(
            tmp_path,
            "livecodebench_stdin.jsonl",
            private_test_cases=_packed(_Attack(sign)),
        )
    assert caught.value.exit_code == 2
    assert not sign.exists()
    pickle.loads(pickle.dumps(_Attack(sign)))
    assert sign.exists(), "the attack is no attack"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_text_is_read_from_every_pickle_protocol(protocol: int) -> None:
    for text in ("", "[1]\n\u2028é😀", "x" * 70_000):
        assert pickled_text(pickle.dumps(text, protocol)) == text


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (pickle.dumps(["a"]), "may only hold text"),
        (pickle.dumps(1), "may only hold text"),
        (b"cos\nsystem\n(S'true'\ntR.", "this one has GLOBAL"),
        (b"\x80\x04\x8c\x01a\x8c\x01b.", "must hold one text, and this one has 2"),
        (b"", "damaged"),
        (pickle.dumps("abc")[:-3], "damaged"),
        (b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffa.", "damaged"),
        (b"\xf9\xf9", "damaged"),
    ],
)
def test_any_other_pickle_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        pickled_text(content)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"private_test_cases": "%%%"}, "`private_test_cases` cannot be unpacked"),
        ({"private_test_cases": base64.b64encode(b"abc").decode()}, "cannot be unpacked"),
        (
            {"private_test_cases": _packed(str([*range(99)]))[:80]},
            "`private_test_cases` is truncated",
        ),
        ({"private_test_cases": _packed('{"a": 1}')}, "`private_test_cases` cannot be read"),
        ({"public_test_cases": "oops"}, "`public_test_cases` cannot be read"),
        ({"public_test_cases": '[{"input":"1","output":"1","testtype":"functional"}]'}, "all"),
    ],
)
def test_damaged_cases_are_named(tmp_path: Path, changes: dict[str, str], problem: str) -> None:
    with pytest.raises(FormatError, match=rf"rows\.jsonl:1: .*{problem}"):
        _changed(tmp_path, "livecodebench_stdin.jsonl", **changes)


def test_a_method_name_must_be_a_name(tmp_path: Path) -> None:
    for metadata in ("{}", '{"func_name": "x(); import os"}'):
        with pytest.raises(FormatError, match="must name a method"):
            _changed(tmp_path, "livecodebench_functional.jsonl", metadata=metadata)

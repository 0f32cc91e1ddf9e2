"""EvalPlus' own rows: argument types, oracles and limits."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from crucible_infra.errors import FormatError
from crucible_tasks.challenge import Challenge, OracleTests
from crucible_tasks.challenges import load, open_dataset
from crucible_tasks.challenges.mbpp_arguments import with_python_types

DATA = Path(__file__).with_name("data")
NAMES = {"inf": math.inf, "nan": math.nan, "set": set, "complex": complex, "__builtins__": {}}


def _challenges(name: str) -> tuple[Challenge, ...]:
    return open_dataset(str(DATA / name)).challenges


def _tests(challenge: Challenge) -> OracleTests:
    assert isinstance(challenge.tests, OracleTests)
    return challenge.tests


def _inputs(challenge: Challenge) -> Any:
    return eval(_tests(challenge).inputs, dict(NAMES))


def test_base_inputs_come_before_plus_inputs() -> None:
    greet, root = _challenges("humaneval_plus.jsonl")
    assert _inputs(greet) == [["Ann"], ["Bob"], [""]]
    assert _inputs(root) == [[[1, 2]], [[1, -math.inf]]]


def test_the_reference_is_a_whole_program() -> None:
    greet = _challenges("humaneval_plus.jsonl")[0]
    namespace: dict[str, Any] = {}
    exec(_tests(greet).reference, namespace)
    assert namespace["greet"]("Ann") == "Hello Ann"
    assert greet.reference == _tests(greet).reference


def test_find_zero_is_judged_by_the_value_of_the_polynomial() -> None:
    greet, root = _challenges("humaneval_plus.jsonl")
    assert (_tests(greet).oracle, _tests(greet).absolute_tolerance) == ("equal", 0.0)
    assert (_tests(root).oracle, _tests(root).absolute_tolerance) == ("polynomial_root", 1e-4)


def test_mbpp_arguments_get_their_python_types() -> None:
    tuples, angles, kept = _challenges("mbpp_plus.jsonl")
    assert _inputs(tuples) == [[(1, 2), (2, 3)], [(), ()]]
    assert _tests(tuples).oracle == "set"
    assert repr(_inputs(angles)) == "[[0.0, 1j], [1.0, (-0-1j)]]"
    assert _inputs(kept) == [[[1, 2, 3], 2]]


def test_limits_leave_room_for_the_references() -> None:
    assert _challenges("humaneval_plus.jsonl")[0].limits.cpu_seconds == 20.0
    assert _challenges("mbpp_plus.jsonl")[0].limits.cpu_seconds == 60.0


@pytest.mark.parametrize(
    ("task", "given", "expected"),
    [
        (63, [[[1, 2], [3]]], [[(1, 2), (3,)]]),
        (75, [[[1, 2]], 3], [[(1, 2)], 3]),
        (106, [[1], [2]], [[1], (2,)]),
        (115, [[[1], [], {}]], [[{1}, {}, {}]]),
        (250, [[1], 2], [(1,), 2]),
        (252, ["-3j"], [complex("-3j")]),
        (278, [[1, [2]]], [(1, (2,))]),
        (307, [[1], 2, [3]], [(1,), 2, [3]]),
        (401, [[[1], [2]]], [((1,), (2,))]),
        (580, [[1, [2, [3]]]], [(1, (2, (3,)))]),
        (722, [{"a": [1]}, 2], [{"a": (1,)}, 2]),
        (3, [[1]], [[1]]),
    ],
)
def test_a_task_takes_its_own_types(task: int, given: list[Any], expected: list[Any]) -> None:
    assert repr(with_python_types(task, given)) == repr(expected)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"task_id": "Mbpp/x"}, "`task_id` must end in a number as 'Mbpp/2' does, not 'Mbpp/x'"),
        ({"plus_input": {"a": 1}}, "`plus_input` must be a list of argument lists, not an object"),
        ({"plus_input": [3]}, "`base_input` and `plus_input` must hold lists of arguments"),
        ({"plus_input": [], "base_input": []}, "must hold lists of arguments"),
        ({"plus_input": [[3, 4]]}, "an argument is not what task 2 takes: 'int' object"),
    ],
)
def test_inputs_of_the_wrong_kind_are_named(
    tmp_path: Path, change: dict[str, Any], problem: str
) -> None:
    row = json.loads((DATA / "mbpp_plus.jsonl").read_text().splitlines()[0])
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row | change))
    with pytest.raises(FormatError) as caught:
        load(path, "mine")
    assert f"{path}:1: " in caught.value.message
    assert problem in caught.value.message

"""The comparisons of EvalPlus, rule by rule as `crucible_tasks.challenges.evalplus` states them."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from crucible_tasks.challenges.evalplus import ORACLES
from crucible_workers.sandbox.prison.oracles import (
    _ORACLES,
    Oracle,
    OracleMismatch,
)

INF = math.inf


def _agrees(
    oracle: str, out: Any, exp: Any, arguments: list[Any] | None = None, tolerance: float = 0.0
) -> bool:
    return bool(_ORACLES[oracle](out, exp, arguments or [], tolerance))


def test_there_is_a_comparison_for_every_oracle() -> None:
    assert set(_ORACLES) == ORACLES


@pytest.mark.parametrize(
    ("out", "exp"),
    [
        (1, 1.0),
        (True, 1),
        ([1, (2,)], [1, (2,)]),
        (0.1 + 0.2, 0.3),
        (1.0 + 9e-7, 1.0),
        ([1.0, 2.0 + 5e-7], [1.0, 2.0]),
        ((1.0,), (1.0 + 5e-7,)),
        (1e9 + 50, 1e9),
        (INF, INF),
        (np.float64(1.0 + 1e-9), np.float64(1.0)),
        (np.array([1.0 + 1e-9]), np.array([1.0])),
    ],
)
def test_equal_passes(out: Any, exp: Any) -> None:
    assert _agrees("equal", out, exp)


@pytest.mark.parametrize(
    ("out", "exp"),
    [
        ([1, 2], (1, 2)),
        ("1", 1),
        (1.0 + 2e-6, 1.0),
        (math.nan, math.nan),
        # an infinity's own tolerance is infinite
        (1.0, INF),
        (-INF, INF),
        (INF, 1.0),
        ([1.0, 5.0], [1.0, INF]),
        # other types than the expected
        (np.float64(0.1 + 1e-9), 0.1),
        ((0.1 + 0.2,), [0.3]),
        # not "floats": no tolerance
        ([1, 0.1 + 0.2], [1, 0.3]),
        ([[0.1 + 0.2]], [[0.3]]),
        ([], [0.3]),
        ([0.3], []),
        ([0.1 + 0.2, 1.0], [0.3]),
        (None, 0.3),
        ("0.3", 0.3),
        (np.float32(0.5 + 1e-7), np.float32(0.5)),
    ],
)
def test_equal_fails(out: Any, exp: Any) -> None:
    assert not _agrees("equal", out, exp)


@pytest.mark.parametrize(
    ("out", "exp", "passes"),
    [
        (10.005, 10.0, True),
        (11, 10, False),
        ([[1.0, 2.001]], [[1.0, 2.0]], True),
        ([[1.0], [2.001]], [[1.0], [2.0]], True),
        ([[1.0, 2.001]], [[1.0], [2.0]], False),
        ([1.0, [2.001]], [1.0, [2.0]], False),
        (["a", 1.001], ["a", 1.0], False),
        ({1.001}, {1.0}, False),
        ({"a": 1.001}, {"a": 1.0}, False),
        (Decimal("1.001"), Decimal(1), False),
        (Fraction(1001, 1000), Fraction(1), False),
        (1.001 + 0j, 1.0 + 0j, True),
        (10**400, 10**400 + 1, False),
        (np.array([[2.001]]), np.array([[2.0]]), True),
        (np.array([2.001]), np.array([[2.0]]), False),
    ],
)
def test_a_tolerance_reaches_into_nested_lists_of_equal_shape(
    out: Any, exp: Any, passes: object
) -> None:
    assert _agrees("equal", out, exp, tolerance=0.01) is passes


@pytest.mark.parametrize("spread", [0.0, 1e-9, 1e-7, 0.9e-6, 1.1e-6, 1e-3, INF, math.nan])
@pytest.mark.parametrize("exp", [0.0, 1.0, -1e9, 1e300, INF, math.nan])
def test_numbers_are_close_where_numpy_finds_them_close(spread: float, exp: float) -> None:
    out = exp + spread * max(abs(exp), 1.0)
    close = bool(np.allclose(out, exp, rtol=1e-7, atol=1e-6))

    assert _agrees("equal", out, exp) is (out == exp or close)


@pytest.mark.parametrize(
    ("out", "passes"),
    [
        ([2, 1, 1], True),
        ((1, 2), True),
        ({1: 0, 2: 0}, True),
        ([1], False),
        (5, False),
        ([[1]], False),
    ],
)
def test_set_ignores_order_repetition_and_container(out: Any, passes: object) -> None:
    assert _agrees("set", out, (1, 2)) is passes


@pytest.mark.parametrize(
    ("out", "exp", "passes"),
    [
        (True, "match", True),
        (False, "match", False),
        (False, None, True),
        ("other", "match", True),
        (None, None, True),
        (None, "match", False),
        (0, "match", True),
        (0, None, False),
    ],
)
def test_not_none_compares_whether_something_was_found(out: Any, exp: Any, passes: object) -> None:
    assert _agrees("not_none", out, exp) is passes


@pytest.mark.parametrize(
    ("root", "passes"),
    [(2.0, True), (2.00001, True), (2.1, False), (math.nan, False), (INF, False)],
)
def test_polynomial_root_asks_for_a_root_not_for_the_expected_one(
    root: float, passes: object
) -> None:
    assert _agrees("polynomial_root", root, None, [[-4, 0, 1]], 1e-4) is passes


def test_are_equivalent_passes_whatever_is_returned() -> None:
    assert _agrees("are_equivalent", "nonsense", True)


@pytest.mark.parametrize(("out", "passes"), [(6, True), (0, True), (False, True), (5, False)])
def test_sum_div_takes_0_too(out: Any, passes: object) -> None:
    assert _agrees("sum_div", out, 6) is passes


@pytest.mark.parametrize(("out", "passes"), [(33, True), (37, False), (39, True), (38.5, False)])
def test_surface_area_takes_the_perpendicular_reading_too(out: Any, passes: object) -> None:
    # 3**2 + 2 * 3 * sqrt(1.5**2 + 4**2) = 34.6…, which rounds to 35
    other = round(9 + 6 * math.sqrt(1.5**2 + 16))
    answer = other if out == 39 else out

    assert _agrees("surface_area", answer, 33, [3, 4]) is passes


@pytest.mark.parametrize(("out", "passes"), [(6, True), (9, True), (8, False)])
def test_digit_distance_takes_the_padded_reading_too(out: int, passes: object) -> None:
    # |0-1| + |2-2| + |1-9| = 9
    assert _agrees("digit_distance", out, 6, [21, 129]) is passes


def _oracle(reference: str, inputs: str) -> Oracle:
    body = {"reference": reference, "inputs": inputs, "oracle": "equal", "absolute_tolerance": 0.0}
    return Oracle(body, "f")


def test_expected_values_come_from_fresh_copies() -> None:
    inputs = "[[[inf]], [[]], [[set(), complex(-0.0, inf)]]]"
    oracle = _oracle("def f(xs):\n    xs.append(1)\n    return len(xs)", inputs)
    seen = []

    def right(xs: list[Any]) -> int:
        seen.append(xs)
        return len(xs) + 1

    oracle.check(right)

    assert seen == [[INF], [], [set(), complex(-0.0, INF)]]


def test_a_candidate_cannot_change_what_the_next_comparison_reads() -> None:
    oracle = _oracle("def f(xs): return len(xs)", "[[[1, 2]], [[1, 2]]]")

    def clear(xs: list[int]) -> int:
        length = len(xs)
        xs.clear()
        return length

    oracle.check(clear)
    oracle.check(clear)


def test_a_difference_names_the_call_and_both_values() -> None:
    with pytest.raises(OracleMismatch, match=r"f\(3\) returned 4, expected 9"):
        _oracle("def f(x): return x * x", "[[3]]").check(lambda x: x + 1)


def test_a_right_answer_that_is_not_equal_to_itself_is_read_and_refused() -> None:
    oracle = _oracle("def f(x): return x", "[[nan]]")

    with pytest.raises(OracleMismatch):
        oracle.check(lambda x: x)

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible_tasks.passk import Counts, challenge_pass_at_k, pass_at_k

SIZES = (1, 2, 3, 7, 10, 20, 64, 100, 199, 200)


def published(n: int, c: int, k: int) -> float:
    """Chen et al. 2021, figure 3, as its text describes it."""
    if n - c < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))


@pytest.mark.parametrize("n", SIZES)
def test_pass_at_k_equals_the_published_formula_for_every_c_and_k(n: int) -> None:
    worst = max(
        abs(pass_at_k(n, c, k) - published(n, c, k))
        for c in range(n + 1)
        for k in range(1, n + 1, 1 if n < 100 else 3)
    )
    assert worst < 1e-12


@pytest.mark.parametrize("n", SIZES)
def test_pass_at_k_is_the_float_nearest_to_the_exact_fraction(n: int) -> None:
    for k in {1, 2, 5, 10, 50, n // 2, n - 1, n} & set(range(1, n + 1)):
        for c in range(n + 1):
            exact = 1 - Fraction(math.comb(n - c, k), math.comb(n, k))
            assert pass_at_k(n, c, k) == float(exact)


def test_many_completions_neither_overflow_nor_lose_digits() -> None:
    assert pass_at_k(10_000, 1, 5_000) == 0.5
    assert pass_at_k(100_000, 3, 1) == 3 / 100_000


@pytest.mark.parametrize(("n", "c", "k"), [(0, 0, 1), (1, 1, 2), (9, 9, 10)])
def test_too_few_completions_give_nan_and_never_one(n: int, c: int, k: int) -> None:
    assert math.isnan(pass_at_k(n, c, k))


@pytest.mark.parametrize(("n", "c", "k"), [(-1, 0, 1), (3, 4, 1), (3, -1, 1), (3, 1, 0), (0, 1, 1)])
def test_nonsense_is_refused(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match="pass"):
        pass_at_k(n, c, k)


@given(st.integers(2, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1))))
def test_another_pass_never_lowers_pass_at_k_nor_does_another_try(sizes: tuple[int, int]) -> None:
    n, c = sizes
    values = [pass_at_k(n, c, k) for k in range(1, n + 1)]
    assert values == sorted(values)
    assert 0.0 <= values[0] <= values[-1] <= 1.0
    assert values[0] == c / n
    assert all(pass_at_k(n, c + 1, k) >= values[k - 1] for k in range(1, n + 1))


def test_each_challenge_has_its_own_value_in_the_order_given() -> None:
    values = challenge_pass_at_k([Counts("b", 4, 2), Counts("a", 2, 0), Counts("c", 1, 1)], 2)
    assert values[:2] == (5 / 6, 0.0)
    assert math.isnan(values[2])


def test_counts_cannot_pass_more_completions_than_there_are() -> None:
    with pytest.raises(ValueError, match="HumanEval/1"):
        Counts("HumanEval/1", 1, 2)

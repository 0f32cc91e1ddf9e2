from __future__ import annotations

import math

import numpy as np
import pytest

from crucible_tasks.bootstrap import paired_bootstrap


def drawn(challenges: int, n: int, shift: float, repeats: int) -> list[list[float]]:
    """Differences of two models whose pass rates differ by `shift` on U-shaped difficulties."""
    generator = np.random.default_rng(7)
    rates = generator.beta(0.5, 0.5, (repeats, challenges)) * (1 - shift)
    before = generator.binomial(n, rates)
    after = generator.binomial(n, rates + shift)
    differences: list[list[float]] = ((after - before) / n).tolist()
    return differences


def test_the_same_differences_always_give_the_same_numbers() -> None:
    differences = drawn(50, 10, 0.05, 1)[0]
    assert paired_bootstrap(differences) == paired_bootstrap(differences)
    assert paired_bootstrap(differences) != paired_bootstrap(differences, seed=1)


def test_equal_models_are_told_apart_in_at_most_6_of_100_comparisons() -> None:
    found = [paired_bootstrap(row, resamples=499).p_value for row in drawn(60, 5, 0.0, 500)]
    alarms = sum(p_value < 0.05 for p_value in found) / 500
    assert 0.02 <= alarms <= 0.06


def test_the_interval_covers_a_true_difference_in_93_to_97_of_100_data_sets() -> None:
    rows = drawn(100, 10, 0.1, 500)
    reached = sum(
        abs(float(np.mean(row)) - 0.1) <= paired_bootstrap(row, resamples=499).half_width
        for row in rows
    )
    assert 0.93 <= reached / 500 <= 0.97


def test_the_p_value_and_the_interval_agree_about_zero() -> None:
    for row in drawn(30, 5, 0.06, 100):
        found = paired_bootstrap(row, resamples=999)
        is_outside = abs(float(np.mean(row))) > found.half_width
        assert is_outside == (found.p_value < 0.05) or found.p_value == 0.05


def test_normal_differences_agree_with_the_t_test() -> None:
    generator = np.random.default_rng(3)
    differences = generator.normal(0.0, 1.0, 40)
    differences += 0.3 - differences.mean()
    error = float(differences.std(ddof=1)) / math.sqrt(40)
    found = paired_bootstrap(differences.tolist())
    # 2.0227 is the 97.5 % quantile of t with 39 degrees of freedom
    assert found.half_width == pytest.approx(2.0227 * error, rel=0.05)


def test_equal_differences_are_judged_like_coins() -> None:
    assert paired_bootstrap([0.0] * 9).p_value == 1.0
    assert paired_bootstrap([0.5]).p_value == 1.0
    assert paired_bootstrap([0.1] * 8).p_value == 2 / 256


def test_too_little_to_resample_is_refused() -> None:
    with pytest.raises(ValueError, match="bootstrap"):
        paired_bootstrap([])
    with pytest.raises(ValueError, match="bootstrap"):
        paired_bootstrap([0.1, 0.2], resamples=10)

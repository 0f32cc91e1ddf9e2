from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible_tasks.intervals import QUANTILE, Interval, mean_interval
from crucible_tasks.passk import pass_at_k


def wilson(passed: int, total: int) -> Interval:
    z, rate = QUANTILE, passed / total
    center = (rate + z**2 / (2 * total)) / (1 + z**2 / total)
    spread = math.sqrt(rate * (1 - rate) / total + z**2 / (4 * total**2))
    reach = z * spread / (1 + z**2 / total)
    return Interval(center - reach, center + reach)


def tango_distance(wins: int, losses: int, total: int, difference: float) -> float:
    """Score statistic of Tango 1998, equation 9, whose roots are the limits."""
    linear = -wins - losses + (2 * total - wins + losses) * difference
    constant = -losses * difference * (1 - difference)
    root = math.sqrt(linear**2 - 8 * total * constant)
    nuisance = (root - linear) / (4 * total)
    spread = total * (2 * nuisance + difference * (1 - difference))
    return (wins - losses - total * difference) / math.sqrt(spread)


@pytest.mark.parametrize("total", [1, 2, 5, 20, 164, 974])
def test_yes_or_no_values_give_the_interval_of_wilson(total: int) -> None:
    for passed in {0, 1, total // 3, total // 2, total - 1, total}:
        found = mean_interval([1.0] * passed + [0.0] * (total - passed))
        expected = wilson(passed, total)
        assert found.low == pytest.approx(expected.low, abs=1e-9)
        assert found.high == pytest.approx(expected.high, abs=1e-9)


@pytest.mark.parametrize(
    ("wins", "losses", "total"), [(3, 1, 20), (14, 4, 164), (5, 0, 30), (0, 5, 30), (43, 1, 44)]
)
def test_wins_losses_and_ties_give_the_interval_of_tango(
    wins: int, losses: int, total: int
) -> None:
    differences = [1.0] * wins + [-1.0] * losses + [0.0] * (total - wins - losses)
    found = mean_interval(differences, lowest=-1.0)
    assert tango_distance(wins, losses, total, found.low) == pytest.approx(QUANTILE, abs=1e-6)
    assert tango_distance(wins, losses, total, found.high) == pytest.approx(-QUANTILE, abs=1e-6)


def test_equal_values_still_leave_room_for_what_was_not_seen() -> None:
    found = mean_interval([0.5] * 20)
    assert 0.3 < found.low < 0.47
    assert 0.53 < found.high < 0.7


@given(st.lists(st.sampled_from([0.0, 0.1, 0.25, 1 / 3, 0.9, 1.0]), min_size=1, max_size=30))
def test_the_interval_holds_the_mean_has_a_width_and_stays_inside_the_range(
    values: list[float],
) -> None:
    found = mean_interval(values)
    mean = math.fsum(values) / len(values)
    assert 0.0 <= found.low <= mean <= found.high <= 1.0
    assert found.high - found.low > 0.02


@given(st.lists(st.integers(0, 10), min_size=1, max_size=30))
def test_counting_failures_instead_of_passes_mirrors_the_interval(passes: list[int]) -> None:
    found = mean_interval([passed / 10 for passed in passes])
    mirrored = mean_interval([(10 - passed) / 10 for passed in passes])
    assert found.low == pytest.approx(1 - mirrored.high, abs=1e-9)


def test_values_that_differ_by_rounding_only_count_as_often_as_they_come() -> None:
    exact = [0.1, -0.1] * 20 + [0.2] * 20
    rounded = [0.3 - 0.2, 0.2 - 0.3] * 10 + [0.8 - 0.7, 0.7 - 0.8] * 10 + [0.5 - 0.3] * 20
    found, expected = (mean_interval(values, lowest=-1.0) for values in (rounded, exact))
    assert found.low == pytest.approx(expected.low, abs=1e-9)
    assert found.high == pytest.approx(expected.high, abs=1e-9)


def test_no_values_and_values_outside_the_range_are_refused() -> None:
    with pytest.raises(ValueError, match="no value"):
        mean_interval([])
    with pytest.raises(ValueError, match="outside"):
        mean_interval([-0.1])


class Simulated(NamedTuple):
    """Data sets whose difficulties are Beta(a, b)."""

    a: float
    b: float
    challenges: int
    n: int
    k: int
    repeats: int = 2000

    @property
    def true_pass_at_k(self) -> float:
        a, b, k = self.a, self.b, self.k
        missed = math.lgamma(b + k) - math.lgamma(b) + math.lgamma(a + b) - math.lgamma(a + b + k)
        return 1 - math.exp(missed)


def covered_percent(data: Simulated) -> float:
    """How often the interval holds the population's pass@k."""
    generator = np.random.default_rng(2021)
    rates = generator.beta(data.a, data.b, (data.repeats, data.challenges))
    passes = generator.binomial(data.n, rates).tolist()
    found = [mean_interval([pass_at_k(data.n, c, data.k) for c in row]) for row in passes]
    held = sum(interval.low <= data.true_pass_at_k <= interval.high for interval in found)
    return 100 * held / data.repeats


@pytest.mark.parametrize(
    "data",
    [
        Simulated(0.5, 0.5, 164, 1, 1),
        Simulated(2, 5, 40, 1, 1),
        Simulated(0.5, 0.5, 20, 10, 1),
        Simulated(1, 1, 40, 5, 1),
        Simulated(0.2, 0.3, 500, 5, 5, repeats=1000),
        Simulated(2, 2, 20, 20, 10),
        Simulated(5, 2, 40, 10, 5),
        Simulated(2, 5, 164, 20, 10, repeats=1000),
        Simulated(0.3, 1.5, 500, 10, 1, repeats=1000),
        Simulated(1, 1, 20, 200, 1, repeats=1000),
        Simulated(1.5, 0.3, 164, 200, 10, repeats=500),
    ],
)
def test_the_interval_covers_the_truth_in_93_to_97_of_100_data_sets(data: Simulated) -> None:
    assert 93 <= covered_percent(data) <= 97

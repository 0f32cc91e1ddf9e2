from __future__ import annotations

import numpy as np
import pytest

from crucible_tasks.mcnemar import mcnemar_p_value
from crucible_tasks.power import challenges_needed, detectable_effect


def test_the_number_equals_connors_formula_worked_by_hand() -> None:
    # (1.95996 * sqrt(0.2) + 0.84162 * sqrt(0.2 - 0.01))^2 / 0.01 = 154.5
    assert challenges_needed(0.1, 0.2) == 155
    assert challenges_needed(-0.1, 0.2) == 155


def test_an_effect_of_zero_needs_no_number() -> None:
    assert challenges_needed(0.0, 0.2) is None


@pytest.mark.parametrize(("effect", "differing"), [(0.1, 0.3), (0.05, 0.15)])
def test_that_many_challenges_find_the_difference_four_times_out_of_five(
    effect: float, differing: float
) -> None:
    needed = challenges_needed(effect, differing)
    assert needed is not None
    shares = [(differing + effect) / 2, (differing - effect) / 2, 1 - differing]
    drawn = np.random.default_rng(11).multinomial(needed, shares, 3000).tolist()
    found = sum(mcnemar_p_value(wins, losses) < 0.05 for wins, losses, _ in drawn) / 3000
    assert 0.75 <= found <= 0.85


def test_the_detectable_effect_is_the_one_that_needs_these_challenges() -> None:
    effect = detectable_effect(0.15, 500)
    needed = challenges_needed(effect, 0.15)
    assert needed == pytest.approx(500, rel=0.02)


def test_impossible_spreads_are_refused() -> None:
    with pytest.raises(ValueError, match="square"):
        challenges_needed(0.5, 0.1)

from __future__ import annotations

import pytest

from crucible_tasks.mcnemar import mcnemar_p_value


@pytest.mark.parametrize(
    ("wins", "losses", "by_hand"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (5, 0, 2 / 32),
        (6, 0, 2 / 64),
        (8, 1, 2 * (1 + 9) / 512),
        (10, 2, 2 * (1 + 12 + 66) / 4096),
        (3, 3, 1.0),
        (11, 3, 2 * (1 + 14 + 91 + 364) / 16384),
    ],
)
def test_the_p_value_is_twice_the_smaller_binomial_tail(
    wins: int, losses: int, by_hand: float
) -> None:
    assert mcnemar_p_value(wins, losses) == by_hand
    assert mcnemar_p_value(losses, wins) == by_hand


def test_thousands_of_differences_do_not_overflow() -> None:
    assert 0 < mcnemar_p_value(2600, 2400) < 0.01


def test_negative_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        mcnemar_p_value(-1, 2)

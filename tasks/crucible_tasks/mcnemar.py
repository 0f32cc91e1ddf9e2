"""McNemar's exact test: do two runs pass different challenges by more than chance?"""

from __future__ import annotations

import math


def mcnemar_p_value(wins: int, losses: int) -> float:
    """Exact two-sided p-value; ties say nothing and do not enter.

    If the runs are equally good, each challenge on which they differ is a fair coin (McNemar
    1947, Psychometrika 12:153); the p-value is twice the smaller binomial tail, at most 1. It is
    the exact and not the mid-p version: never more than 5 % false alarms, at the price of fewer.
    Raises ValueError for negative counts.
    """
    if wins < 0 or losses < 0:
        raise ValueError("wins and losses cannot be negative")
    discordant = wins + losses
    tail = sum(math.comb(discordant, times) for times in range(min(wins, losses) + 1))
    return min(1.0, 2 * tail / (1 << discordant))

"""Power: how many challenges it takes to tell two runs apart."""

from __future__ import annotations

import math
from statistics import NormalDist

#: a two-sided 5 % test that finds a true difference four times out of five
_SIGNIFICANCE_QUANTILE = NormalDist().inv_cdf(0.975)
_POWER_QUANTILE = NormalDist().inv_cdf(0.80)


def challenges_needed(effect: float, mean_square: float) -> int | None:
    """Challenges for 80 % power at 5 %, two-sided; None when the effect is 0.

    Assumes that the true difference is `effect` and that the differences of further challenges
    spread as these do, `mean_square` being the mean of the squared differences. For one
    completion per challenge that is the share of challenges on which the runs differ, and the
    formula is Connor's (1987, Biometrics 43:207). Raises ValueError when no data can give these.
    """
    if mean_square < effect**2 * (1 - 1e-9):
        raise ValueError("a mean square cannot be below the squared mean")
    if effect == 0:
        return None
    return math.ceil((_needed_errors(effect, mean_square) / effect) ** 2)


def detectable_effect(mean_square: float, challenges: int) -> float:
    """Smallest true difference that this many challenges show with 80 % power, at most 1.

    0 when no challenge differs: then the data do not say how differences would spread.
    """
    both = _SIGNIFICANCE_QUANTILE + _POWER_QUANTILE
    effect = both * math.sqrt(mean_square / challenges)
    return min(1.0, effect)


def _needed_errors(effect: float, mean_square: float) -> float:
    """Distance, in roots of challenges, that chance covers on both sides of the threshold."""
    under_no_difference = math.sqrt(mean_square)
    under_the_effect = math.sqrt(max(0.0, mean_square - effect**2))
    return _SIGNIFICANCE_QUANTILE * under_no_difference + _POWER_QUANTILE * under_the_effect

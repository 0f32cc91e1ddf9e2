"""The paired bootstrap: test and interval of a mean difference, by resampling challenges.

Studentized and symmetric (Hall 1988, "On symmetric bootstrap confidence intervals", JRSS B 50:35;
Efron & Tibshirani 1993, chapter 12.5): whole challenges are drawn with replacement, so whatever
varies within a challenge moves together, and each resample's distance from the observed mean is
measured in its own standard errors. Over 240 simulated settings (n, k in (5,1), (10,1), (10,5),
(20,10); pass rates Beta(.5,.5), (2,5), (.2,.2), (.1,.1), (.2,1); four ways in which B differs
from A) its interval covered the truth in 95.0 % of the data sets at M = 164, and in 96.3 and
96.9 % at M = 40 and 20. At M = 20 it errs on the safe side, where the plain t interval fell to
81 % and the interval of random subsets (Hartigan 1969) to 71 %.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

#: resamples; at p = 0.05 the p-value's own standard error is 0.002
RESAMPLES = 9_999

#: any fixed number: the same counts must always give the same words
SEED = 20_210_707

#: what sums of floats may be off by
_ROUNDING = 1e-12

#: a smaller variance is rounding; one of 10,000 challenges off by 1/200 makes 2.5e-9
_NO_VARIANCE = 1e-14


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Two-sided p-value of "the mean is 0", and the 95 % interval's reach to either side."""

    p_value: float
    half_width: float


def paired_bootstrap(
    differences: Sequence[float], *, resamples: int = RESAMPLES, seed: int = SEED
) -> Bootstrap:
    """Test and interval for the mean of one difference per challenge; the two always agree.

    half_width is infinite where too many resamples have no spread to measure by.
    Raises ValueError when there is no difference, or fewer resamples than 5 % can be told with.
    """
    if not differences or resamples < 19:
        raise ValueError("a bootstrap takes values and at least 19 resamples")
    count = len(differences)
    center = math.fsum(differences) / count
    # around the observed mean, so that large equal differences leave no rounding behind
    packed = [_packed(difference - center) for difference in differences]
    _, error = _mean_and_error(sum(packed), count)
    if error == 0.0:
        return Bootstrap(_sign_test(center, count), half_width=0.0)
    distances = sorted(_distances(packed, resamples, seed))
    observed = abs(center) / error - _ROUNDING
    reached = sum(distance >= observed for distance in distances)
    rank = math.ceil(0.95 * (resamples + 1)) - 1
    return Bootstrap((1 + reached) / (resamples + 1), distances[rank] * error)


def _sign_test(center: float, count: int) -> float:
    """All differences equal: the chance that as many fair coins fall on one side."""
    return 1.0 if abs(center) < _ROUNDING else 2.0 ** (1 - count)


def _distances(packed: Sequence[complex], resamples: int, seed: int) -> list[float]:
    """How many of its own standard errors each resample's mean lies from the observed one."""
    generator = random.Random(seed)
    count = len(packed)
    distances = []
    for _ in range(resamples):
        mean, error = _mean_and_error(sum(generator.choices(packed, k=count)), count)
        if error == 0.0:
            distances.append(0.0 if abs(mean) < _ROUNDING else math.inf)
        else:
            distances.append(abs(mean) / error)
    return distances


def _packed(value: float) -> complex:
    """Value and square in one number: complex numbers add up in one pass, done in C."""
    return complex(value, value * value)


def _mean_and_error(packed: complex, count: int) -> tuple[float, float]:
    mean = packed.real / count
    variance = packed.imag / count - mean * mean
    return mean, math.sqrt(variance / count) if variance > _NO_VARIANCE else 0.0

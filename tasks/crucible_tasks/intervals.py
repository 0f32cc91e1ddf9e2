"""The 95 % interval of a mean of bounded values, without a model of how they vary.

**What it is for.** Each challenge gives one value in [lowest, highest], for instance its pass@k.
Challenges are draws from all challenges of this kind; what is estimated is the mean over that
population. A value's spread holds both how challenges differ and how few completions were
sampled, so one interval accounts for both, however many completions each challenge has.

**The method** inverts a score test, as Wilson (1927, JASA 22:209) does for a proportion: a mean
is believable while the observed mean lies within 1.96 standard errors of it, the standard error
being the one that would hold *if that mean were true*. What would hold then is given by the
nonparametric maximum likelihood estimate under that mean (Owen 1988, Biometrika 75:237;
Qin & Lawless 1995, Can. J. Stat. 23:145): the observed values, reweighted as little as possible,
with mass at the ends of the range where the likelihood asks for it. Nothing is tuned, and:

- yes-or-no values (one completion per challenge, or k = n) give Wilson's interval exactly;
- differences in {-1, 0, 1} give Tango's interval for paired proportions exactly
  (Tango 1998, Stat. Med. 17:891);
- all passed, all failed, all equal, or a single challenge still give an interval of sensible
  width inside the range, because unseen extremes are never excluded.

**Why this one.** Coverage in percent over 352 settings: challenge difficulties Beta(.5,.5),
(1,1), (.2,.3), (2,2), (2,5), (5,2), (.3,1.5), (1.5,.3); (n, k) in (1,1), (5,1), (5,5), (10,1),
(10,5), (10,10), (20,1), (20,5), (20,10), (200,1), (200,10); M challenges; 3,000 data sets each:

====================================  ============  ============  ============  ============
lowest / mean (settings in 93..97)    M = 20        M = 40        M = 164       M = 500
====================================  ============  ============  ============  ============
**this one**                          91.9/95.6     91.1/95.4     93.8/95.2     93.6/95.1
                                      (88 %)        (93 %)        (99 %)        (99 %)
this one with t instead of 1.96       91.9/96.7     91.1/96.0     93.8/95.3     93.6/95.1
                                      (64 %)        (84 %)        (99 %)        (99 %)
Wilson, effective sample size, t      46.8/91.6     48.4/92.6     74.7/94.2     81.8/94.6
logit, t                              0.0/88.2      0.0/90.2      18.1/93.2     47.1/94.2
plain t                               2.8/85.3      4.2/88.1      20.3/92.3     49.8/93.6
bootstrap BCa (20 settings, 600 sets) 52.5/86.7     69.8/90.9     85.5/93.7     not run
====================================  ============  ============  ============  ============

What is left below 93 are yes-or-no values with M <= 40: there it *is* Wilson's interval, whose
coverage jumps because so few results are possible. Above 97 (at most 98.8) it errs on the safe
side, mostly at M <= 40 with values far from both ends, or where nearly everything passed.
`tests/performance/interval_coverage.py` prints this method's figures, setting by setting.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

#: standard errors on each side of a 95 % interval
QUANTILE = NormalDist().inv_cdf(0.975)

#: stands for "none yet" at an end of the range: the likelihood may put mass there, the data do not
_UNSEEN = 1e-12

#: the search runs over the logarithm of the reweighting; e^60 * _UNSEEN outweighs any data
_STEEPEST = 60.0

#: halvings of the search range; 60 / 2^50 is below what a float can tell
_HALVINGS = 50


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the true mean lies, at 95 % confidence."""

    low: float
    high: float


def mean_of(values: Sequence[float]) -> float:
    """Return the mean, added up without rounding; raises ValueError when there is no value."""
    if not values:
        raise ValueError("no value has a mean")
    return math.fsum(values) / len(values)


def mean_interval(
    values: Sequence[float], *, lowest: float = 0.0, highest: float = 1.0
) -> Interval:
    """95 % interval of the mean that values within [lowest, highest] are drawn around.

    Raises ValueError when there is no value, or one lies outside the range.
    """
    mean = mean_of(values)
    if min(values) < lowest or max(values) > highest:
        raise ValueError(f"a value lies outside {lowest} .. {highest}")
    width = highest - lowest
    from_below = Counter((value - lowest) / width for value in values)
    from_above = Counter((highest - value) / width for value in values)
    return Interval(
        low=min(mean, highest - width * _upper_bound(from_above)),
        high=max(mean, lowest + width * _upper_bound(from_below)),
    )


def _upper_bound(seen: Mapping[float, int]) -> float:
    """Return the largest believable mean of values in [0, 1], each seen so many times."""
    total = sum(seen.values())
    mean = math.fsum(value * times for value, times in seen.items()) / total
    if mean >= 1.0:
        return 1.0
    points = tuple({1.0: _UNSEEN, **seen}.items())
    below, above = 0.0, _STEEPEST
    for _ in range(_HALVINGS):
        middle = (below + above) / 2
        supposed, variance = _tilted(points, math.exp(-middle))
        if total * (supposed - mean) ** 2 < QUANTILE**2 * variance:
            below = middle
        else:
            above = middle
    return _tilted(points, math.exp(-below))[0]


def _tilted(points: Sequence[tuple[float, float]], rest: float) -> tuple[float, float]:
    """Mean and variance of the likeliest distribution with a larger mean.

    Maximum likelihood under a fixed mean gives each value x a weight proportional to
    1 / (1 - (1 - rest) x); `rest` falls from 1 (the data as they are) to 0 (all mass at 1).
    """
    weights = [times / (1.0 - value + value * rest) for value, times in points]
    total = sum(weights)
    mean = sum(w * value for w, (value, _) in zip(weights, points, strict=True)) / total
    spread = sum(w * (value - mean) ** 2 for w, (value, _) in zip(weights, points, strict=True))
    return mean, spread / total

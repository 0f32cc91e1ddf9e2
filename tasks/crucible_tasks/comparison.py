"""A paired comparison of two runs: is B better than A, worse, or can nobody tell yet?

Both runs answered the same challenges, so what is compared is one difference per challenge, and
a challenge's completions stay together.

- One yes-or-no result per challenge and run (n = k in both, so always for n = 1): McNemar's
  exact two-sided test, and Tango's score interval (see `intervals`).
- Otherwise: the studentized paired bootstrap over challenges (see `bootstrap`). Where few
  challenges differ its resamples hold too little to measure by and it grows wider than the
  score interval of the same differences, which then takes its place.

A verdict needs p < 0.05 and an interval on one side of 0. The exact test is the more careful of
the two; where it cannot tell, the interval is extended to 0, so that the two never contradict
each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from crucible_tasks.bootstrap import RESAMPLES, paired_bootstrap
from crucible_tasks.intervals import Interval, mean_interval, mean_of
from crucible_tasks.mcnemar import mcnemar_p_value
from crucible_tasks.passk import Counts, challenge_pass_at_k
from crucible_tasks.power import challenges_needed, detectable_effect
from crucible_tasks.scores import lacking, require_distinct

#: p-values below this, with an interval on one side of 0, make a verdict
SIGNIFICANCE = 0.05

MCNEMAR = "exact McNemar test"
BOOTSTRAP = f"paired bootstrap over challenges, {RESAMPLES:,} resamples"

#: beyond this the answer is "do not try"
_MANY_CHALLENGES = 100_000


class Finding(StrEnum):
    """What a comparison found out about B."""

    BETTER = "better"
    WORSE = "worse"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True)
class Comparison:
    """B against A on the challenges both have; fractions, not percent.

    effect, low, high and p_value are NaN when there is a reason.
    """

    k: int
    verdict: Finding
    #: pass@k of B minus pass@k of A
    effect: float
    low: float
    high: float
    p_value: float
    method: str
    #: task ids where B did better, worse, the same
    wins: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    ties: tuple[str, ...] = ()
    #: challenges that only one of the two has; not compared
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    #: further challenges for 80 % power if the true difference is `effect`; None when it is 0
    more_challenges: int | None = None
    #: smallest true difference these challenges show with 80 % power; None when none differ
    detectable: float | None = None
    reason: str | None = None

    @property
    def challenges(self) -> int:
        """How many challenges were compared."""
        return len(self.wins) + len(self.losses) + len(self.ties)

    @property
    def is_identical(self) -> bool:
        """Whether both runs did the same on every challenge."""
        return bool(self.ties) and not self.wins and not self.losses

    @property
    def sentence(self) -> str:
        """What was found, in plain words, for runs called A and B."""
        return self.describe("A", "B")

    def describe(self, a: str, b: str) -> str:
        """What was found, in plain words, with the runs' names."""
        if self.reason is not None:
            return f"cannot tell: {self.reason}"
        if self.is_identical:
            return f"cannot tell: {self._identity(a, b)}"
        if self.verdict is Finding.CANNOT_TELL:
            return f"cannot tell: {self._difference(a, b)}; {self._outlook()}"
        return f"{b} is {self.verdict}: {self._difference(a, b)}"

    def _difference(self, a: str, b: str) -> str:
        points = abs(self.effect) * 100
        if self.effect == 0:
            found = f"{a} and {b} have the same pass@{self.k}"
        else:
            direction = "higher" if self.effect > 0 else "lower"
            found = f"pass@{self.k} of {b} is {points:.1f} points {direction} than of {a}"
        return (
            f"{found} (95 % interval {self.low * 100:+.1f} to {self.high * 100:+.1f}, "
            f"{_p_in_words(self.p_value)}, {self.method}; {len(self.wins)} better, "
            f"{len(self.losses)} worse, {len(self.ties)} the same of {self.challenges})"
        )

    def _identity(self, a: str, b: str) -> str:
        number = f"all {self.challenges} challenges" if self.challenges > 1 else "the one challenge"
        return (
            f"{a} and {b} did the same on {number}; "
            f"a true difference of more than {self.high * 100:.1f} points is unlikely"
        )

    def _outlook(self) -> str:
        shown = f"{self.challenges} challenges show only differences of "
        shown += f"{(self.detectable or 0) * 100:.1f} points or more reliably"
        if self.more_challenges is None:
            return f"no number of challenges shows a difference of 0, and {shown}"
        if self.more_challenges > _MANY_CHALLENGES:
            return f"needs more than {_MANY_CHALLENGES:,} more challenges; {shown}"
        more = f"about {_rounded(self.more_challenges):,} more challenges"
        return f"needs {more} if the true difference is as seen (80 % power); {shown}"


def compare(a: Sequence[Counts], b: Sequence[Counts], k: int = 1) -> Comparison:
    """Compare pass@k of two runs, challenge by challenge.

    Gives a reason instead of numbers when the runs share no challenge, or a shared one has fewer
    than k completions. Raises ValueError when a run counts a challenge twice.
    """
    require_distinct(a)
    require_distinct(b)
    of_b = {challenge.task_id: challenge for challenge in b}
    ids_of_a = {challenge.task_id for challenge in a}
    only_a = tuple(challenge.task_id for challenge in a if challenge.task_id not in of_b)
    only_b = tuple(challenge.task_id for challenge in b if challenge.task_id not in ids_of_a)
    shared = [challenge for challenge in a if challenge.task_id in of_b]
    pairs = _Pairs(k, shared, [of_b[challenge.task_id] for challenge in shared], only_a, only_b)
    reason = pairs.reason
    return pairs.compared() if reason is None else pairs.refused(reason)


@dataclass(frozen=True, slots=True)
class _Pairs:
    """The counts of both runs on the same challenges, in the same order."""

    k: int
    a: list[Counts]
    b: list[Counts]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]

    @property
    def reason(self) -> str | None:
        if not self.a:
            return "the runs have no challenge in common"
        for name, counts in (("first", self.a), ("second", self.b)):
            lack = lacking(counts, self.k)
            if lack is not None:
                return f"of the {name} run, {lack}"
        return None

    @property
    def is_binary(self) -> bool:
        """Whether a challenge can only pass or fail."""
        return all(challenge.n == self.k for challenge in (*self.a, *self.b))

    def refused(self, reason: str) -> Comparison:
        nan = math.nan
        return Comparison(
            *(self.k, Finding.CANNOT_TELL, nan, nan, nan, nan, "none"),
            only_a=self.only_a,
            only_b=self.only_b,
            reason=reason,
        )

    def compared(self) -> Comparison:
        of_a, of_b = challenge_pass_at_k(self.a, self.k), challenge_pass_at_k(self.b, self.k)
        differences = [after - before for before, after in zip(of_a, of_b, strict=True)]
        wins = self._where([difference > 0 for difference in differences])
        losses = self._where([difference < 0 for difference in differences])
        effect = mean_of(differences)
        test = _exactly if self.is_binary else _by_resampling
        p_value, interval = test(differences)
        interval = _never_contradicting(interval, p_value)
        mean_square = mean_of([difference**2 for difference in differences])
        needed = challenges_needed(effect, mean_square)
        return Comparison(
            k=self.k,
            verdict=_verdict(interval, p_value),
            effect=effect,
            low=interval.low,
            high=interval.high,
            p_value=p_value,
            method=MCNEMAR if self.is_binary else BOOTSTRAP,
            wins=wins,
            losses=losses,
            ties=self._where([difference == 0 for difference in differences]),
            only_a=self.only_a,
            only_b=self.only_b,
            more_challenges=None if needed is None else max(1, needed - len(differences)),
            detectable=detectable_effect(mean_square, len(differences)) if mean_square else None,
        )

    def _where(self, chosen: Sequence[bool]) -> tuple[str, ...]:
        return tuple(
            challenge.task_id for challenge, is_it in zip(self.a, chosen, strict=True) if is_it
        )


def _exactly(differences: Sequence[float]) -> tuple[float, Interval]:
    wins = sum(difference > 0 for difference in differences)
    losses = sum(difference < 0 for difference in differences)
    return mcnemar_p_value(wins, losses), mean_interval(differences, lowest=-1.0)


def _by_resampling(differences: Sequence[float]) -> tuple[float, Interval]:
    bootstrap = paired_bootstrap(differences)
    by_score = mean_interval(differences, lowest=-1.0)
    reach = bootstrap.half_width
    if reach == 0 or by_score.high - by_score.low < 2 * reach:
        return bootstrap.p_value, by_score
    effect = mean_of(differences)
    return bootstrap.p_value, Interval(max(-1.0, effect - reach), min(1.0, effect + reach))


def _never_contradicting(interval: Interval, p_value: float) -> Interval:
    if p_value < SIGNIFICANCE:
        return interval
    return Interval(min(interval.low, 0.0), max(interval.high, 0.0))


def _verdict(interval: Interval, p_value: float) -> Finding:
    if p_value < SIGNIFICANCE and interval.low > 0:
        return Finding.BETTER
    if p_value < SIGNIFICANCE and interval.high < 0:
        return Finding.WORSE
    return Finding.CANNOT_TELL


def _rounded(count: int) -> int:
    """Two leading digits: the estimate holds no more."""
    return round(count, min(0, 2 - len(str(count))))


def _p_in_words(p_value: float) -> str:
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"

"""A pass@k curve: the score of a run at every k that its completions allow, with its intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from crucible_tasks.scores import Counts, Score, lacking, score

#: curves that are kept: 200 scores over 164 challenges cost half a second
_KEPT = 64


@dataclass(frozen=True, slots=True)
class PassCurve:
    """pass@k of one run."""

    #: what tells the run apart from those beside it
    label: str
    #: for k = 1, 2, … up to the fewest completions of a challenge
    scores: tuple[Score, ...]
    #: why there is none
    reason: str | None = None


def pass_curve(label: str, counts: Sequence[Counts]) -> PassCurve:
    """The curve over the challenges' judged completions; one without any leaves it empty."""
    reason = lacking(counts, 1)
    if reason is not None:
        return PassCurve(label, (), reason)
    kinds = Counter((one.n, one.c) for one in counts)
    return PassCurve(label, _scores(tuple(sorted(kinds.items()))))


@lru_cache(maxsize=_KEPT)
def _scores(kinds: tuple[tuple[tuple[int, int], int], ...]) -> tuple[Score, ...]:
    """By how many challenges have n completions of which c passed: a score tells no other."""
    counts = [Counts(f"{n} {c} {place}", n, c) for (n, c), times in kinds for place in range(times)]
    fewest = min(one.n for one in counts)
    return tuple(score(counts, k) for k in range(1, fewest + 1))

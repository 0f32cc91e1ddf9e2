"""A score: pass@k over a dataset's challenges, with its 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from crucible_tasks.intervals import mean_interval, mean_of
from crucible_tasks.passk import Counts, challenge_pass_at_k

__all__ = ["Counts", "Score", "lacking", "require_distinct", "score"]

#: challenges named in a reason before it ends in an ellipsis
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Score:
    """pass@k as a fraction; value, low and high are NaN when there is a reason.

    low and high hold the mean over *all* challenges of this kind, at 95 % confidence, from the
    challenges and the completions there are (see `intervals`).
    """

    k: int
    value: float
    low: float
    high: float
    challenges: int
    reason: str | None = None


def score(counts: Sequence[Counts], k: int) -> Score:
    """Mean pass@k over challenges, every challenge counting the same (Chen et al. 2021).

    NaN with a reason when a challenge has fewer than k completions: leaving it out would flatter,
    and counting it as failed would not be pass@k. Raises ValueError when a task id comes twice.
    """
    require_distinct(counts)
    reason = lacking(counts, k)
    if reason is not None:
        return Score(k, math.nan, math.nan, math.nan, len(counts), reason)
    values = challenge_pass_at_k(counts, k)
    interval = mean_interval(values)
    return Score(k, mean_of(values), interval.low, interval.high, len(counts))


def lacking(counts: Sequence[Counts], k: int) -> str | None:
    """Why there is no pass@k for these counts; None when there is one."""
    if not counts:
        return "no challenge has been judged"
    short = [challenge.task_id for challenge in counts if challenge.n < k]
    if not short:
        return None
    names = ", ".join(short[:_NAMED]) + (", …" if len(short) > _NAMED else "")
    verb = "has" if len(short) == 1 else "have"
    few = "no completion" if k == 1 else f"fewer than {k} completions"
    noun = "challenge" if len(counts) == 1 else "challenges"
    return f"{len(short)} of {len(counts)} {noun} {verb} {few}: {names}"


def require_distinct(counts: Sequence[Counts]) -> None:
    """Raise ValueError when a challenge is counted twice."""
    if len({challenge.task_id for challenge in counts}) < len(counts):
        raise ValueError("a challenge is counted twice")

"""Quality against cost: what a score cost in tokens, time and energy; which runs are worth it.

Costs are means over completions, so that runs with another n can stand side by side. Energy is
that of GPUs on the sampling host, where their counters told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from crucible_api import standing
from crucible_api.member_runs import cost_of
from crucible_api.reports import Cost, RunInfo, RunSummary
from crucible_api.run_labels import labels
from crucible_api.runs import Runs
from crucible_infra.database.counts import run_count
from crucible_infra.database.runs import find_run
from crucible_infra.errors import RunNotFound
from crucible_tasks.scores import Score


@dataclass(frozen=True, slots=True)
class CostPoint:
    """One run: its score at one k, and what a completion cost on average."""

    run_id: str
    #: what tells the run apart from those beside it
    label: str
    score: Score
    #: tokens of an answer; None where a server did not tell
    tokens: float | None
    #: a model's time for an answer; None where it is not known
    seconds: float | None
    #: what GPUs took for an answer; None where nobody measured it
    joules: float | None = None


def cost_points(runs: Runs, infos: Sequence[RunInfo], k: int) -> tuple[CostPoint, ...]:
    """The runs that have a score at k, in their order; they should be of one dataset."""
    found = []
    with runs.database.reading() as connection:
        for info, label in zip(infos, labels(infos), strict=True):
            row = find_run(connection, info.id)
            if row is None:
                raise RunNotFound(f"no run is called {info.id}", hint="crucible runs list")
            score = _at(standing.scores(connection, row), k)
            if score is not None:
                completions = run_count(connection, info.id).generated
                cost = cost_of(connection, row)
                found.append(_point(info.id, label, score, cost, completions))
    return tuple(found)


def cost_points_of(summaries: Sequence[RunSummary], k: int) -> tuple[CostPoint, ...]:
    """The same from summaries that are there already."""
    names = labels([one.run for one in summaries])
    return tuple(
        _point(one.run.id, label, score, one.cost, one.progress.generated)
        for one, label in zip(summaries, names, strict=True)
        if one.cost is not None and (score := _at(one.scores, k)) is not None
    )


def pareto(
    points: Iterable[CostPoint], cost: Callable[[CostPoint], float | None]
) -> tuple[CostPoint, ...]:
    """The points that no other beats: none costs as little and scores more, or less for as much.

    Cheapest first; points whose cost is not known take no part.
    """
    known = [(found, one) for one in points if (found := cost(one)) is not None]
    best: list[CostPoint] = []
    reached = (-1.0, 0.0)
    for found, one in sorted(known, key=lambda pair: (pair[0], -pair[1].score.value)):
        # equal in both is as good
        if one.score.value > reached[0] or (one.score.value, found) == reached:
            best.append(one)
            reached = (one.score.value, found)
    return tuple(best)


def each(total: float | None, completions: int) -> float | None:
    """The mean over the completions; None where it is not known."""
    # a server that tells no tokens may tell a zero
    return total / completions if total and completions else None


def _at(scores: Sequence[Score], k: int) -> Score | None:
    return next((one for one in scores if one.k == k and one.reason is None), None)


def _point(run_id: str, label: str, score: Score, cost: Cost, completions: int) -> CostPoint:
    costs = (cost.completion_tokens, cost.seconds, cost.joules)
    tokens, seconds, joules = (each(total, completions) for total in costs)
    return CostPoint(run_id, label, score, tokens, seconds, joules)

"""The page that compares two runs: the verdict in words, the effect, and every challenge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from crucible_api.differences import differences
from crucible_api.http.services import Serving
from crucible_api.named_runs import find_pair, meant
from crucible_api.page.plots import plotly_js
from crucible_api.page.plots.effect import Bar, bar
from crucible_api.page.plots.figure import Figure
from crucible_api.page.plots.pass_curves import pass_curves
from crucible_api.page.rendering import render
from crucible_api.pass_curve import pass_curve
from crucible_api.reports import RunInfo, RunSummary
from crucible_api.run_labels import labels
from crucible_api.runs import Runs
from crucible_tasks.comparison import Comparison, compare
from crucible_tasks.scores import Score, score

router = APIRouter(include_in_schema=False)

#: to choose from
_RUNS = 200


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two runs."""

    summary: RunSummary
    label: str
    score: Score


@dataclass(frozen=True, slots=True)
class Compared:
    """Two runs beside each other."""

    a: Side
    b: Side
    found: Comparison
    notes: tuple[str, ...]
    #: None where nothing can be said
    bar: Bar | None
    figure: Figure | None

    @property
    def sentence(self) -> str:
        """What was found, in plain words."""
        words = self.found.describe(self.a.label, self.b.label)
        return f"{words[:1].upper()}{words[1:]}."


@router.get("/compare")
def compare_page(
    request: Request,
    serving: Serving,
    a: str = "",
    b: str = "",
    k: Annotated[int, Query(ge=1)] = 1,
) -> Response:
    """Let two runs be chosen, and compare those that are."""
    found = compared(serving.runs, a.strip(), b.strip(), k) if a.strip() and b.strip() else None
    chosen = () if found is None else (found.a.summary.run, found.b.summary.run)
    return render(
        request,
        "compare.html",
        plotly=plotly_js.url(),
        runs=_choices(serving.runs.list_runs(_RUNS), chosen),
        a=chosen[0].id if chosen else a,
        b=chosen[1].id if chosen else b,
        k=k,
        compared=found,
    )


def compared(runs: Runs, a: str, b: str, k: int) -> Compared:
    """The comparison of the runs that two words mean. Raises RunNotFound."""
    summaries = [runs.summary(run_id) for run_id in find_pair(runs, meant(a), meant(b))]
    counts = [runs.counts(one.run.id) for one in summaries]
    names = labels([one.run for one in summaries])
    if len(set(names)) == 1:
        names = ("A", "B")
    sides = [
        Side(summary, name, score(each, k))
        for summary, name, each in zip(summaries, names, counts, strict=True)
    ]
    found = compare(counts[0], counts[1], k)
    curves = [pass_curve(name, each) for name, each in zip(names, counts, strict=True)]
    return Compared(
        a=sides[0],
        b=sides[1],
        found=found,
        notes=tuple(differences(*summaries)),
        bar=None if found.reason else bar(found.effect, found.low, found.high),
        figure=pass_curves(curves),
    )


def _choices(runs: Sequence[RunInfo], chosen: Sequence[RunInfo]) -> tuple[RunInfo, ...]:
    """What can be chosen, the newest first; what was chosen is always among it."""
    known = {run.id: run for run in (*runs, *chosen)}
    return tuple(known.values())

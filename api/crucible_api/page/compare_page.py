"""The page that compares two runs: the verdict in words, the effect, and every challenge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from crucible_api.compared import Compared, compared
from crucible_api.http.services import Serving
from crucible_api.named_runs import find_pair, meant
from crucible_api.page.plots import plotly_js
from crucible_api.page.plots.effect import bar
from crucible_api.page.plots.figure import Figure
from crucible_api.page.plots.pass_curves import pass_curves
from crucible_api.page.rendering import render
from crucible_api.pass_curve import pass_curve
from crucible_api.reports import RunInfo

router = APIRouter(include_in_schema=False)

#: to choose from
_RUNS = 200


@router.get("/compare")
def compare_page(
    request: Request,
    serving: Serving,
    a: str = "",
    b: str = "",
    k: Annotated[int, Query(ge=1)] = 1,
) -> Response:
    """Let two runs be chosen, and compare those that are."""
    found = None
    if a.strip() and b.strip():
        ids = find_pair(serving.runs, meant(a.strip()), meant(b.strip()))
        found = compared(serving.runs, *ids, k)
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
        bar=None if found is None else bar(found.found),
        figure=None if found is None else _curves(found),
    )


def _curves(found: Compared) -> Figure | None:
    return pass_curves([pass_curve(one.label, one.counts) for one in (found.a, found.b)])


def _choices(runs: Sequence[RunInfo], chosen: Sequence[RunInfo]) -> tuple[RunInfo, ...]:
    """What can be chosen, the newest first; what was chosen is always among it."""
    known = {run.id: run for run in (*runs, *chosen)}
    return tuple(known.values())

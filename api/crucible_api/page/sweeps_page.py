"""The pages of sweeps: all of them, and one with its heat maps, best settings and runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from crucible_api.http.services import Serving
from crucible_api.http.v1 import sweep_changes
from crucible_api.page.plots import plotly_js
from crucible_api.page.plots.costs import cost_figures
from crucible_api.page.plots.figure import Figure
from crucible_api.page.plots.heat_maps import heat_maps
from crucible_api.page.rendering import render
from crucible_api.quality_cost import cost_points
from crucible_api.run_labels import labels
from crucible_api.runs import Runs
from crucible_api.sweep_reports import SweepRun, SweepSummary
from crucible_api.sweeps import find_sweep, list_sweeps, sweep_summary
from crucible_tasks.planning import MAY_GO_ON, RunState

router = APIRouter(include_in_schema=False)

#: on one page
_SWEEPS = 50

#: points that can be told apart
_MOST_POINTS = 24

#: goes on when somebody says so
_STILL = (RunState.PAUSED, RunState.STOPPED, RunState.INTERRUPTED, RunState.INCOMPLETE)


@router.get("/sweeps")
def sweeps_page(request: Request, serving: Serving) -> Response:
    """Show the last sweeps."""
    return render(request, "sweeps.html", sweeps=list_sweeps(serving.runs, _SWEEPS))


@router.get("/sweeps/{name}")
def sweep_page(
    request: Request, serving: Serving, name: str, k: Annotated[int | None, Query(ge=1)] = None
) -> Response:
    """Show one sweep at one k, by default its smallest."""
    sweep_id = find_sweep(serving.runs, name)
    summary = sweep_summary(serving.runs, sweep_id, k)
    ks = sorted({score.k for one in summary.runs for score in one.scores})
    chosen = ks[0] if k is None and ks else (k or 1)
    infos = [one.run for one in summary.runs]
    return render(
        request,
        "sweep.html",
        plotly=plotly_js.url(),
        sweep=summary,
        ks=ks,
        k=chosen,
        figures=[*heat_maps(summary.runs, chosen), *_costs(serving.runs, summary, chosen)],
        names=dict(zip((run.id for run in infos), labels(infos), strict=True)),
        is_live=any(one.run.state in MAY_GO_ON for one in summary.runs),
        can_resume=any(one.run.state in _STILL for one in summary.runs),
    )


@router.post("/sweeps/{sweep_id}/stop")
def stop(serving: Serving, sweep_id: str) -> Response:
    """Stop every run of a sweep."""
    sweep_changes.stop_sweep(serving, sweep_id)
    return _back(sweep_id)


@router.post("/sweeps/{sweep_id}/resume")
def resume(serving: Serving, sweep_id: str) -> Response:
    """Go on with the runs of a sweep that lie still."""
    sweep_changes.resume_sweep(serving, sweep_id)
    return _back(sweep_id)


def _back(sweep_id: str) -> Response:
    return RedirectResponse(f"/sweeps/{sweep_id}", HTTPStatus.SEE_OTHER)


def _costs(runs: Runs, summary: SweepSummary, k: int) -> Iterator[Figure]:
    for place, (dataset, mine) in enumerate(_by_dataset(summary.runs).items()):
        if 1 < len(mine) <= _MOST_POINTS:
            points = cost_points(runs, [one.run for one in mine], k)
            yield from cost_figures(points, f"costs-{place}", dataset)


def _by_dataset(runs: Sequence[SweepRun]) -> dict[str, list[SweepRun]]:
    found: dict[str, list[SweepRun]] = {}
    for one in runs:
        found.setdefault(one.run.dataset, []).append(one)
    return found

"""The page of quality against cost: the lines of a leaderboard, and what their scores took."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from crucible_api.http.services import Serving
from crucible_api.leaderboard import leaderboard
from crucible_api.page.plots import plotly_js
from crucible_api.page.plots.costs import cost_figures
from crucible_api.page.rendering import render
from crucible_api.quality_cost import cost_points

router = APIRouter(include_in_schema=False)

#: points that can be told apart; the best of a board
_MOST_POINTS = 24


@router.get("/costs")
def costs_page(
    request: Request,
    serving: Serving,
    dataset: str | None = None,
    k: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """Show what the scores of a leaderboard cost, and which runs no other beats."""
    found = leaderboard(serving.runs, dataset, k)
    chosen = [line.run for line in found.lines[:_MOST_POINTS]]
    points = cost_points(serving.runs, chosen, found.k)
    name = "" if found.board is None else found.board.dataset
    return render(
        request,
        "costs.html",
        plotly=plotly_js.url(),
        found=found,
        shown=len(chosen),
        figures=list(cost_figures(points, "costs", name)),
    )

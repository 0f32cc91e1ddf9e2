"""The page of all runs."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from crucible_api.http.services import Serving
from crucible_api.page.rendering import render

router = APIRouter(include_in_schema=False)

#: on one page
_RUNS = 100


@router.get("/runs")
def runs_page(request: Request, serving: Serving) -> Response:
    """Show the last runs."""
    return render(request, "runs.html", runs=serving.runs.list_runs(_RUNS))

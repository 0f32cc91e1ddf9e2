"""The first page: the leaderboard of one dataset at one k."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from crucible_api.http.services import Serving
from crucible_api.leaderboard import leaderboard
from crucible_api.page.rendering import render

router = APIRouter(include_in_schema=False)


@router.get("/")
def leaderboard_page(
    request: Request,
    serving: Serving,
    dataset: str | None = None,
    k: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """Show who did best on a dataset, and who cannot be told from whom."""
    found = leaderboard(serving.runs, dataset, k)
    by_rank = [list(lines) for _, lines in groupby(found.lines, key=lambda line: line.rank)]
    return render(request, "leaderboard.html", found=found, by_rank=by_rank)

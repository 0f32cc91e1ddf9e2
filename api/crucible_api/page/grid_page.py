"""The page with every completion of a run, a letter each and a click away."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from crucible_api.grid import LETTERS, grid
from crucible_api.http.services import Serving
from crucible_api.page.rendering import render
from crucible_tasks.verdict import Outcome

router = APIRouter(include_in_schema=False)


@router.get("/runs/{run_id}/grid")
def grid_page(
    request: Request,
    serving: Serving,
    run_id: str,
    sort: Annotated[Literal["dataset", "rate"], Query()] = "dataset",
    outcome: Outcome | None = None,
) -> Response:
    """Show a run's completions: a row a challenge, a column a sample."""
    run = serving.runs.find_run(run_id)
    if run.id != run_id:
        return RedirectResponse(f"/runs/{run.id}/grid?{request.url.query}")
    whole = grid(serving.runs, run_id)
    found = whole if outcome is None else whole.with_outcome(outcome)
    found = found.sorted_by_rate() if sort == "rate" else found
    return render(
        request,
        "grid.html",
        found=found,
        run=whole.run,
        counts=[(str(one), count) for one in Outcome if (count := whole.count(one))],
        classes={letter: str(one) for one, letter in LETTERS.items()},
        sort=sort,
        outcome=outcome,
        ruler=_ruler(whole.width),
    )


def _ruler(width: int) -> str:
    """The numbers of the samples, every tenth, above their columns."""
    return "".join(f"{index:<10}" for index in range(0, width, 10))[: width + 4]

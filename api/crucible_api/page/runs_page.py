"""The page of all runs: found by model, dataset and state, a part at a time."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from crucible_api.http.services import Serving
from crucible_api.listed_runs import list_of_runs
from crucible_api.page.rendering import render
from crucible_infra.database.run_search import RunSearch
from crucible_infra.errors import InvalidInput
from crucible_tasks.planning import RunState

router = APIRouter(include_in_schema=False)

#: on one page
_RUNS = 50


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the form above the list asks for; empty for what does not matter."""

    model: str = ""
    dataset: str = ""
    state: str = ""


@router.get("/runs")
def runs_page(
    request: Request,
    serving: Serving,
    wanted: Annotated[Wanted, Depends()],
    after: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """Show the newest runs that were searched for."""
    search = RunSearch(wanted.model.strip() or None, wanted.dataset or None)
    found = list_of_runs(serving.runs, search, _state(wanted.state), after, _RUNS)
    kept = {name: value for name, value in asdict(wanted).items() if value}
    return render(
        request,
        "runs.html",
        found=found,
        wanted=wanted,
        states=tuple(RunState),
        is_filtered=bool(kept),
        is_first=after is None,
        first=kept,
        following=None if found.next is None else kept | {"after": found.next},
    )


def _state(text: str) -> RunState | None:
    try:
        return RunState(text) if text else None
    except ValueError as error:
        raise InvalidInput(
            "no run is ever in that state", hint=f"states: {', '.join(RunState)}"
        ) from error

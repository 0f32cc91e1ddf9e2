"""Events over HTTP: what happens to a run, a sweep or a fine-tune, as server-sent events."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Header
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from crucible_api.fine_tunes import FineTunes
from crucible_api.http.following import Look, Seen, seen
from crucible_api.http.forms import RunProgress, SweepProgress, TrainingProgress
from crucible_api.http.paging import Name
from crucible_api.http.routes import api_router
from crucible_api.http.services import Services, Serving
from crucible_api.reports import Progress
from crucible_api.runs import Runs
from crucible_api.sweeps import find_sweep, select
from crucible_tasks.fine_tuning import FineTuneState
from crucible_tasks.planning import MAY_GO_ON

router = api_router("", HTTPStatus.NOT_FOUND)

_STREAM = "text/event-stream"

#: seconds until somebody else may have left
_RETRY_AFTER = 10

LastEventId = Annotated[
    str, Header(max_length=100, description="Sent by browsers: the last event they have.")
]

_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {_STREAM: {"schema": {"type": "string"}}}},
    204: {"description": "The end was told already: do not come back"},
}

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.get("/runs/{run_id}/events", tags=["runs"], response_class=Response, responses=_RESPONSES)
async def follow_run(serving: Serving, run_id: Name, last_event_id: LastEventId = "") -> Response:
    """Tell how far a run is whenever that changes, until nothing more happens to it.

    Each event `progress` carries what `/progress` answers; `end` carries it for the last time. A
    stream that ends after five minutes without `end` goes on where it is asked for again.
    """
    return await _follow(serving, f"run {run_id}", _run(serving.runs, run_id), last_event_id)


@router.get(
    "/sweeps/{sweep_id}/events", tags=["sweeps"], response_class=Response, responses=_RESPONSES
)
async def follow_sweep(
    serving: Serving, sweep_id: Name, last_event_id: LastEventId = ""
) -> Response:
    """Tell how far the runs of a sweep are whenever that changes, until nothing more happens.

    Each event `progress` carries every run's progress; `end` the same for the last time.
    """
    look = _sweep(serving.runs, sweep_id)
    return await _follow(serving, f"sweep {sweep_id}", look, last_event_id)


@router.get(
    "/fine-tunes/{fine_tune_id}/events",
    tags=["fine-tunes"],
    response_class=Response,
    responses=_RESPONSES,
)
async def follow_fine_tune(
    serving: Serving, fine_tune_id: Name, last_event_id: LastEventId = ""
) -> Response:
    """Tell how a fine-tune stands whenever that changes, until nothing more happens to it.

    Each event `progress` carries how it stands and its last step; `end` the same for the last time.
    """
    look = _fine_tune(serving.fine_tunes, fine_tune_id)
    return await _follow(serving, f"fine-tune {fine_tune_id}", look, last_event_id)


async def _follow(serving: Services, name: str, look: Look, last_id: str) -> Response:
    following = serving.following
    if following.is_full:
        detail = "as many follow runs here as can; ask for /progress now and then"
        retry = {"Retry-After": str(_RETRY_AFTER)}
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, detail, retry)
    first = await following.look(look)
    if first.is_over and last_id == first.end_id:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    events = following.events(name, look, first, last_id)
    return StreamingResponse(events, HTTPStatus.OK, _HEADERS, _STREAM)


def _run(runs: Runs, run_id: str) -> Callable[[], Seen]:
    def look() -> Seen:
        found = runs.progress(run_id)
        return seen(found, is_over=found.state not in MAY_GO_ON)

    return look


def _sweep(runs: Runs, sweep_id: str) -> Callable[[], Seen]:
    known: dict[str, Progress] = {}

    def look() -> Seen:
        for run in select(runs, find_sweep(runs, sweep_id)).runs:
            # what has ended changes only when somebody changes it, which its state tells
            told = known.get(run.id)
            if told is None or run.state in MAY_GO_ON or told.state is not run.state:
                known[run.id] = runs.progress(run.id)
        found = tuple(RunProgress(run_id, progress) for run_id, progress in known.items())
        is_over = all(one.progress.state not in MAY_GO_ON for one in found)
        return seen(SweepProgress(sweep_id, found), is_over=is_over)

    return look


def _fine_tune(fine_tunes: FineTunes, fine_tune_id: str) -> Callable[[], Seen]:
    def look() -> Seen:
        info = fine_tunes.info(fine_tune_id)
        is_over = info.state not in (FineTuneState.PLANNED, FineTuneState.RUNNING)
        return seen(TrainingProgress(info, fine_tunes.last_step(fine_tune_id)), is_over=is_over)

    return look

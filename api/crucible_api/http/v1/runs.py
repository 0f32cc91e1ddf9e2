"""Runs over HTTP: list them, tell how one stands, and what is in it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Query

from crucible_api.http.paging import After, Limit, Name, page, place
from crucible_api.http.routes import api_router
from crucible_api.http.services import Serving
from crucible_api.http.wire import Page
from crucible_api.reports import Progress, RunInfo, RunSummary, VerdictRow
from crucible_api.run_pages import page_of_completions, page_of_runs, page_of_verdicts
from crucible_infra.database.completions import CompletionRow
from crucible_tasks.scores import Counts

router = api_router("runs", HTTPStatus.NOT_FOUND)

#: what runs are ordered by, and completions
_PLANNED = (float, str)
_PLACE = (int, int, int)

TaskId = Annotated[
    str | None,
    Query(max_length=1000, pattern=r"^[^\x00]*$", description="Only of this challenge."),
]


@router.get("")
def list_runs(serving: Serving, limit: Limit = 20, after: After = None) -> Page[RunInfo]:
    """List runs, newest first."""
    return page(page_of_runs(serving.runs, limit, place(after, _PLANNED)))


@router.get("/{name}")
def show_run(serving: Serving, name: Name) -> RunSummary:
    """Tell everything about a run at once.

    `name` is its id, the beginning or the last four characters of it, or `latest`.
    """
    return serving.runs.summary(serving.runs.find_run(name).id)


@router.get("/{run_id}/progress")
def show_progress(serving: Serving, run_id: Name) -> Progress:
    """Tell how far a run is."""
    return serving.runs.progress(run_id)


@router.get("/{run_id}/counts")
def list_counts(serving: Serving, run_id: Name) -> tuple[Counts, ...]:
    """List how many completions of each challenge are judged and passed."""
    return serving.runs.counts(run_id)


@router.get("/{run_id}/verdicts")
def list_verdicts(
    serving: Serving, run_id: Name, limit: Limit = 100, after: After = None
) -> Page[VerdictRow]:
    """List what became of each completion, in the order of the dataset or the samples file."""
    return page(page_of_verdicts(serving.runs, run_id, limit, place(after, _PLACE)))


@router.get("/{run_id}/completions")
def list_completions(
    serving: Serving,
    run_id: Name,
    limit: Limit = 100,
    after: After = None,
    task_id: TaskId = None,
) -> Page[CompletionRow]:
    """List completions with their raw texts.

    A page ends early where texts are long: about 1 MiB of them, or a single longer one.
    """
    found = page_of_completions(serving.runs, run_id, limit, place(after, _PLACE), task_id)
    return page(found)

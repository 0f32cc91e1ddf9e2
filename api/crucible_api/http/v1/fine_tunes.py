"""Fine-tunes over HTTP: list them, and tell how one stands."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Query

from crucible_api import proof, proof_runs
from crucible_api.fine_tune_reports import FineTuneInfo
from crucible_api.http.paging import After, Limit, Name, page, place
from crucible_api.http.routes import api_router
from crucible_api.http.services import Serving
from crucible_api.http.wire import Page
from crucible_api.proof import PartFound
from crucible_api.run_pages import page_of_fine_tunes
from crucible_infra.fine_tune_rows import StepRow

router = api_router("fine-tunes", HTTPStatus.NOT_FOUND)

#: a training of a week has some 100,000 steps
_MAX_STEPS = 10_000

StepLimit = Annotated[int, Query(ge=1, le=_MAX_STEPS, description="How many at most.")]
AfterStep = Annotated[int, Query(ge=-1, le=2**31 - 1, description="The last step of before.")]


@router.get("")
def list_fine_tunes(serving: Serving, limit: Limit = 20, after: After = None) -> Page[FineTuneInfo]:
    """List fine-tunes, newest first."""
    return page(page_of_fine_tunes(serving.fine_tunes, limit, place(after, (float, str))))


@router.get("/{name}")
def show_fine_tune(serving: Serving, name: Name) -> FineTuneInfo:
    """Tell how a fine-tune stands.

    `name` is that of its model, its id, the beginning or the last four characters of that, or
    `latest`.
    """
    return serving.fine_tunes.find(name)


@router.get("/{fine_tune_id}/steps")
def list_steps(
    serving: Serving, fine_tune_id: Name, limit: StepLimit = 1000, after: AfterStep = -1
) -> Page[StepRow]:
    """List the steps of a training behind a step; `next` is the step to go on from."""
    serving.fine_tunes.info(fine_tune_id)
    found = serving.fine_tunes.steps(fine_tune_id, after)
    last = str(found[limit - 1].step) if len(found) > limit else None
    return Page(found[:limit], last)


@router.get("/{fine_tune_id}/proof")
def show_proof(serving: Serving, fine_tune_id: Name) -> tuple[PartFound, ...]:
    """Tell what the proof says, dataset by dataset, as far as its runs are finished."""
    wished = proof_runs.proof_of(serving.fine_tunes.info(fine_tune_id))
    return () if wished is None else tuple(proof.found(serving.runs, wished))

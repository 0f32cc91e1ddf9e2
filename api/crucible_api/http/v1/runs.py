"""Runs over HTTP: list them and tell how one stands."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from crucible_api.http.problems import documented
from crucible_api.http.services import Serving
from crucible_api.reports import Progress, RunInfo

router = APIRouter(prefix="/runs", tags=["runs"], responses=documented(HTTPStatus.NOT_FOUND))

#: of one page of anything
MAX_LIMIT = 500


@router.get("")
def list_runs(
    serving: Serving, limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 20
) -> tuple[RunInfo, ...]:
    """Tell the last runs planned, newest first."""
    return serving.runs.list_runs(limit)


@router.get("/{run_id}/progress")
def progress(serving: Serving, run_id: str) -> Progress:
    """Tell how far a run is."""
    return serving.runs.progress(run_id)

"""What a user means by a word, over HTTP: a run, or all runs of a sweep."""

from __future__ import annotations

from http import HTTPStatus

from crucible_api.http.paging import Name
from crucible_api.http.routes import api_router
from crucible_api.http.services import Serving
from crucible_api.sweep_reports import Selected
from crucible_api.sweeps import select

router = api_router("selections", HTTPStatus.NOT_FOUND)


@router.get("/{text}")
def select_runs(serving: Serving, text: Name) -> Selected:
    """Tell which runs a user means.

    `text` is the id of a run or of a sweep, its beginning, its last four characters, or `latest`.
    """
    return select(serving.runs, text)

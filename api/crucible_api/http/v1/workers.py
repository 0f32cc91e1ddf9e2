"""Workers over HTTP: who does the work."""

from __future__ import annotations

from crucible_api.http.routes import api_router
from crucible_api.http.services import Serving
from crucible_api.workers import Worker, list_workers

router = api_router("workers")


@router.get("")
def show_workers(serving: Serving) -> tuple[Worker, ...]:
    """List the workers of the cluster, or the server itself where it does the work."""
    return list_workers(serving.settings, trains=serving.trains)

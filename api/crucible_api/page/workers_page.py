"""The page of workers: who does the work, what waits for them, and where Flower is."""

from __future__ import annotations

from collections import Counter

from fastapi import APIRouter, Request
from starlette.responses import Response

from crucible_api.http.services import Serving
from crucible_api.page.rendering import render
from crucible_api.workers import list_workers
from crucible_tasks.roster import GONE_SECONDS

router = APIRouter(include_in_schema=False)


@router.get("/workers")
def workers_page(request: Request, serving: Serving) -> Response:
    """Show the roster of a cluster, or that this process does the work."""
    settings = serving.settings
    workers = list_workers(settings, trains=serving.trains)
    takers = Counter(queue for one in workers for queue in one.queues)
    return render(
        request,
        "workers.html",
        is_embedded=settings.is_embedded,
        workers=[one for one in workers if one.is_present],
        gone=[one for one in workers if not one.is_present],
        takers=takers,
        waiting={} if settings.is_embedded else _waiting(sorted(takers)),
        seconds=GONE_SECONDS,
        flower=settings.flower_url,
    )


def _waiting(queues: list[str]) -> dict[str, int]:
    # Redis is asked in a cluster alone
    from crucible_tasks import served  # noqa: PLC0415

    return served.waiting(queues)

"""The application: the API below /api/v1, its document, and the pages, behind one guard."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles

from crucible_api import __version__
from crucible_api.http.document import write_document
from crucible_api.http.guard import Guard, Rules
from crucible_api.http.login import login_router
from crucible_api.http.problems import handle_problems
from crucible_api.http.services import Services
from crucible_api.http.v1 import (
    artifacts,
    comparisons,
    datasets,
    events,
    exports,
    fine_tune_changes,
    fine_tunes,
    models,
    run_changes,
    runs,
    selections,
    starts,
    sweep_changes,
    sweeps,
    version,
    workers,
)
from crucible_api.page import (
    compare_page,
    completion_page,
    costs_page,
    diff_page,
    fine_tunes_page,
    grid_page,
    leaderboard_page,
    run_page,
    runs_page,
    sweeps_page,
    workers_page,
)
from crucible_api.page.plots import plotly_js
from crucible_api.page.rendering import STATIC

#: where version 1 of the API begins
PREFIX = "/api/v1"

#: bytes of an answer that is not worth packing
_SMALL = 2048

#: of gzip: half the time of its usual 9, and a few per cent larger
_LEVEL = 5

_MODULES = (
    starts,
    runs,
    run_changes,
    exports,
    events,
    sweeps,
    sweep_changes,
    selections,
    comparisons,
    models,
    datasets,
    workers,
    fine_tunes,
    fine_tune_changes,
    artifacts,
    version,
)

_PAGES = (
    leaderboard_page,
    runs_page,
    run_page,
    grid_page,
    completion_page,
    diff_page,
    compare_page,
    costs_page,
    sweeps_page,
    fine_tunes_page,
    workers_page,
    plotly_js,
)


def build(services: Services, rules: Rules) -> FastAPI:
    """The application over these services, for whoever the rules let in."""
    application = FastAPI(
        title="codecrucible",
        version=__version__,
        openapi_url=f"{PREFIX}/openapi.json",
        # their pages load scripts from another host
        docs_url=None,
        redoc_url=None,
    )
    application.state.services = services
    write_document(application)
    handle_problems(application)
    for module in _MODULES:
        application.include_router(module.router, prefix=PREFIX)
    for page in _PAGES:
        application.include_router(page.router)
    application.mount("/static", StaticFiles(directory=STATIC), name="static")
    application.include_router(login_router(rules))
    # events are left out, and no page or answer holds a secret that its size could tell
    application.add_middleware(GZipMiddleware, minimum_size=_SMALL, compresslevel=_LEVEL)
    application.add_middleware(Guard, rules=rules)
    return application

"""The pages of fine-tunes: all of them, and one with its curves, corpus, recipe and proof."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from crucible_api.fine_tune_report import fine_tune_report
from crucible_api.http.services import Serving
from crucible_api.http.v1 import fine_tune_changes
from crucible_api.page.plots import plotly_js
from crucible_api.page.plots.before_after import before_after
from crucible_api.page.plots.training import training_figures
from crucible_api.page.rendering import render
from crucible_tasks.recipe import Recipe, explained

router = APIRouter(include_in_schema=False)

#: on one page
_FINE_TUNES = 100

#: files and cuts named before the rest is only counted
_NAMED = 200


@router.get("/fine-tunes")
def fine_tunes_page(request: Request, serving: Serving) -> Response:
    """Show the last fine-tunes."""
    found = serving.fine_tunes.newest(_FINE_TUNES)
    return render(request, "fine_tunes.html", fine_tunes=found)


@router.get("/fine-tunes/{name}")
def fine_tune_page(request: Request, serving: Serving, name: str) -> Response:
    """Show one fine-tune."""
    info = serving.fine_tunes.find(name)
    report = fine_tune_report(serving.runs, serving.fine_tunes, info)
    plain = {key: value for key, value, _ in explained(Recipe())}
    return render(
        request,
        "fine_tune.html",
        plotly=plotly_js.url(),
        report=report,
        info=info,
        row=info.row,
        curves=training_figures(report.steps),
        before_after=before_after(report.found, info.row.name),
        recipe=[(*one, one[1] != plain[one[0]]) for one in explained(report.recipe)],
        named=_NAMED,
    )


@router.post("/fine-tunes/{fine_tune_id}/stop")
def stop(serving: Serving, fine_tune_id: str) -> Response:
    """Stop a training after a checkpoint."""
    fine_tune_changes.stop_fine_tune(serving, fine_tune_id)
    return _back(fine_tune_id)


@router.post("/fine-tunes/{fine_tune_id}/resume")
def resume(serving: Serving, fine_tune_id: str) -> Response:
    """Go on with a training, and with what is missing of its proof."""
    fine_tune_changes.resume_fine_tune(serving, fine_tune_id)
    return _back(fine_tune_id)


def _back(fine_tune_id: str) -> Response:
    return RedirectResponse(f"/fine-tunes/{fine_tune_id}", HTTPStatus.SEE_OTHER)

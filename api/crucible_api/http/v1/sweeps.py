"""Sweeps over HTTP: list them, and tell how one stands."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Query

from crucible_api.http.paging import After, Limit, Name, page, place
from crucible_api.http.routes import api_router
from crucible_api.http.services import Serving
from crucible_api.http.wire import Page
from crucible_api.run_pages import page_of_sweeps
from crucible_api.sweep_reports import SweepInfo, SweepSummary
from crucible_api.sweeps import find_sweep, sweep_summary

router = api_router("sweeps", HTTPStatus.NOT_FOUND)

K = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="The best by pass@k.")]


@router.get("")
def list_sweeps(serving: Serving, limit: Limit = 20, after: After = None) -> Page[SweepInfo]:
    """List sweeps, newest first."""
    return page(page_of_sweeps(serving.runs, limit, place(after, (float, str))))


@router.get("/{name}")
def show_sweep(serving: Serving, name: Name, k: K = None) -> SweepSummary:
    """Tell how every run of a sweep stands, and which setting did best.

    `name` is its id, the beginning or the last four characters of it, or `latest`.
    """
    return sweep_summary(serving.runs, find_sweep(serving.runs, name), k)

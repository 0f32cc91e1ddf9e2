"""Runs that are started over HTTP: of models, and of completions that are there already."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import Body

from crucible_api.http.allowed import check_model
from crucible_api.http.forms import Begun, BenchmarkForm, EvaluationForm
from crucible_api.http.posted import (
    completions_of,
    dataset_of,
    refuse_unprintable,
    wordings_of,
)
from crucible_api.http.routes import api_router
from crucible_api.http.services import Services, Serving, check_host
from crucible_api.matrix import limits_for, plan_matrix
from crucible_api.turns import Turn
from crucible_api.wish import Wish, customary_ks

router = api_router(
    "",
    HTTPStatus.NOT_FOUND,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.INSUFFICIENT_STORAGE,
)


@router.post("/runs", status_code=HTTPStatus.CREATED, tags=["runs"])
def start_benchmark(serving: Serving, form: Annotated[BenchmarkForm, Body()]) -> Begun:
    """Sample models on datasets, and judge the answers; several values of a setting are a sweep.

    In a cluster all runs begin at once. Where the server does the work, they begin one after the
    other, and are `planned` until then.
    """
    wish, notes = _wish(form), list[str]()
    for spec in wish.models:
        check_model(spec)
    wish.check()
    artifacts = serving.runs.artifacts
    datasets = [dataset_of(name, form.limit, artifacts) for name in wish.chosen_datasets]
    wordings = wordings_of(form)
    check_host(serving, notes.append)
    matrix = plan_matrix(wish, datasets, wordings, notes.append)
    run_ids = [serving.runs.plan_benchmark(plan) for plan in matrix.plans]
    _begin(serving, run_ids)
    return Begun(
        matrix.plans[0].sweep_id,
        tuple(run_ids),
        tuple(dict.fromkeys(notes)),
        matrix.companions(run_ids),
        has_toy=matrix.choice.toy is not None,
    )


@router.post("/evaluations", status_code=HTTPStatus.CREATED, tags=["evaluations"])
def start_evaluation(serving: Serving, form: Annotated[EvaluationForm, Body()]) -> Begun:
    """Judge completions that are there already: those of a samples file, put or in `rows`."""
    refuse_unprintable("source", form.source)
    dataset = dataset_of(form.dataset, None, serving.runs.artifacts)
    completions = completions_of(form, serving.runs.artifacts)
    limits = limits_for(dataset, form.cpu_seconds, form.memory_mib)
    notes: list[str] = []
    check_host(serving, notes.append)
    ks = tuple(sorted(set(form.k))) or customary_ks(completions)
    run_id = serving.runs.plan_evaluation(dataset, completions, ks, limits, form.source)
    _begin(serving, [run_id])
    return Begun(None, (run_id,), tuple(notes))


def _wish(form: BenchmarkForm) -> Wish:
    return Wish(
        models=form.models,
        datasets=form.datasets,
        temperatures=form.temperatures,
        styles=form.styles,
        ns=form.n,
        ks=tuple(sorted(set(form.k))),
        seed=form.seed,
        top_p=form.top_p,
        max_tokens=form.max_tokens,
        limit=form.limit,
        cpu_seconds=form.cpu_seconds,
        memory_mib=form.memory_mib,
        priority=form.priority,
        with_members=form.with_members,
        falls_back=form.falls_back,
    )


def _begin(serving: Services, run_ids: Sequence[str]) -> None:
    if serving.settings.is_embedded:
        serving.turns.add([Turn(run_id) for run_id in run_ids])
        return
    for run_id in run_ids:
        serving.runs.start(run_id)

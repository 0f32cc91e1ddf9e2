"""Models over HTTP: what answers, and what a spec stands for."""

from __future__ import annotations

from http import HTTPStatus

from crucible_api import model_choice
from crucible_api.http.allowed import check_model
from crucible_api.http.paging import NameQuery
from crucible_api.http.routes import api_router
from crucible_tasks.generation import ModelIdentity

router = api_router("models", HTTPStatus.BAD_GATEWAY)


@router.get("")
def list_models() -> tuple[ModelIdentity, ...]:
    """List the models that fine-tunes have made, and those that answer on a worker's host."""
    return (*model_choice.registered_models(), *model_choice.answering_here())


@router.get("/described")
def describe_model(spec: NameQuery) -> ModelIdentity:
    """Tell which weights are behind a model spec."""
    check_model(spec)
    return model_choice.describe(spec)

"""What is done to fine-tunes over HTTP: start, stop, resume, remove."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import Body
from starlette.responses import Response

from crucible_api import proof, proof_runs
from crucible_api.fine_tune_checks import (
    demand_cluster,
    demand_name,
    demand_shares,
    demand_workers,
    require_trainer,
)
from crucible_api.fine_tune_reports import FineTunePlan
from crucible_api.fine_tunes import throw_away
from crucible_api.http.allowed import check_model, check_weights
from crucible_api.http.forms import Altered, BegunFineTune, FineTuneForm
from crucible_api.http.paging import Name
from crucible_api.http.posted import dataset_of, read_artifact, refuse_unprintable
from crucible_api.http.routes import api_router
from crucible_api.http.services import Services, Serving
from crucible_api.judging_host import try_sandbox
from crucible_api.turns import Turn
from crucible_infra import log
from crucible_infra.errors import CrucibleError, EmptyCorpus
from crucible_infra.settings import current
from crucible_tasks.base_weights import base_weights
from crucible_tasks.corpus.corpus import Corpus, decode
from crucible_tasks.fine_tuning import NANO, QUEUE
from crucible_tasks.model_names import spelled_out
from crucible_tasks.model_spec import parse
from crucible_tasks.recipe import TOY, Recipe, recipe_of
from crucible_tasks.served import demand_worker

router = api_router(
    "fine-tunes",
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.INSUFFICIENT_STORAGE,
)


@router.post("", status_code=HTTPStatus.CREATED)
def start_fine_tune(serving: Serving, form: Annotated[FineTuneForm, Body()]) -> BegunFineTune:
    """Train a model on a corpus that was put as an artifact, register it, and prove the gain.

    Where the server does the work it trains in its turn, and needs codecrucible[train].
    """
    refuse_unprintable("directory", form.directory)
    demand_cluster(form.hosts)
    demand_name(form.name)
    serving.fine_tunes.demand_free(form.name)
    base = _base(form)
    recipe = _recipe(form, base)
    demand_shares(recipe.batch, form.hosts)
    _demand_hands(serving, base, recipe, form)
    plan = _plan(serving, form, base, recipe)
    fine_tune_id = serving.fine_tunes.plan(plan)
    try:
        proof_runs.prepare(serving.fine_tunes, fine_tune_id)
    except CrucibleError:
        # nothing keeps a name that nothing was trained for
        serving.fine_tunes.remove(fine_tune_id)
        raise
    if serving.settings.is_embedded:
        serving.turns.add([Turn(fine_tune_id, is_fine_tune=True)])
    else:
        serving.fine_tunes.start(fine_tune_id)
    return BegunFineTune(fine_tune_id, form.name)


@router.post("/{fine_tune_id}/stop")
def stop_fine_tune(serving: Serving, fine_tune_id: Name) -> Altered:
    """Stop a training after a checkpoint."""
    return _altered(serving, fine_tune_id, is_altered=serving.fine_tunes.stop(fine_tune_id))


@router.post("/{fine_tune_id}/resume")
def resume_fine_tune(serving: Serving, fine_tune_id: Name) -> Altered:
    """Go on from the last checkpoint, or with the proof of what is trained already."""
    info = serving.fine_tunes.info(fine_tune_id)
    if serving.settings.is_embedded:
        require_trainer()
    else:
        demand_worker(QUEUE, info.row.hosts)
    proof_runs.prepare(serving.fine_tunes, fine_tune_id)
    serving.fine_tunes.start(fine_tune_id)
    if serving.settings.is_embedded:
        # it is under way; its proof is begun behind it
        serving.turns.add([Turn(fine_tune_id, is_fine_tune=True)])
    else:
        proof_runs.go_on(serving.fine_tunes.info(fine_tune_id))
    return _altered(serving, fine_tune_id, is_altered=True)


@router.delete("/{fine_tune_id}", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
def remove_fine_tune(serving: Serving, fine_tune_id: Name) -> Response:
    """Forget a fine-tune, its model and its checkpoints; its name can be given again."""
    unused = serving.fine_tunes.remove(fine_tune_id)
    throw_away(serving.runs.artifacts, unused, log.warning)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _altered(serving: Services, fine_tune_id: str, *, is_altered: bool) -> Altered:
    return Altered(fine_tune_id, serving.fine_tunes.info(fine_tune_id).state, is_altered)


def _base(form: FineTuneForm) -> str:
    """The weights to train."""
    spec = spelled_out(form.model, current())
    check_model(form.model)
    base = base_weights(parse(spec), form.base_weights)
    refuse_unprintable("base_weights", base)
    check_weights(base)
    return base


def _recipe(form: FineTuneForm, base: str) -> Recipe:
    if form.recipe is None:
        return TOY if base == NANO else Recipe()
    return recipe_of(form.recipe)


def _demand_hands(serving: Services, base: str, recipe: Recipe, form: FineTuneForm) -> None:
    proves = bool(form.private or form.proof_datasets)
    if not serving.settings.is_embedded:
        demand_workers(base, form.hosts, proves=proves)
        return
    require_trainer()
    if proves:
        try_sandbox(lambda _: None)
    proof_runs.demand_base(base, recipe)


def _plan(serving: Services, form: FineTuneForm, base: str, recipe: Recipe) -> FineTunePlan:
    artifacts = serving.runs.artifacts
    corpus = decode(read_artifact(artifacts, form.corpus))
    if not corpus.documents:
        raise EmptyCorpus
    private = form.private and dataset_of(f"artifact:{form.private}", None, artifacts)
    elsewhere = [dataset_of(name, None, artifacts) for name in form.proof_datasets]
    wished = None
    if private or elsewhere:
        wished = proof.wished(artifacts, form.proof_n, form.corpus, private or None, elsewhere)
    return FineTunePlan(
        name=form.name,
        model=form.model,
        base=base,
        corpus=form.corpus,
        recipe=recipe,
        manifest=_manifest(form, corpus),
        proof=None if wished is None else msgspec.to_builtins(wished),
        hosts=form.hosts,
    )


def _manifest(form: FineTuneForm, corpus: Corpus) -> dict[str, Any]:
    return {
        "directory": form.directory,
        "corpus": {
            "digest": form.corpus,
            "origin": corpus.origin,
            "train": msgspec.to_builtins(corpus.report.train),
            "held_out": msgspec.to_builtins(corpus.report.held_out),
        },
    }

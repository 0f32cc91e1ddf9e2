"""Which models a benchmark asks: the given ones, the configured one, or what answers here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crucible_infra.errors import ModelError
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.reports import RunInfo
    from crucible_api.run_service import ProgressTeller
    from crucible_tasks.generation import ModelIdentity, ModelReport

#: says something to whoever asked
Tell = Callable[[str], object]

#: proves an installation, needs no server
REFERENCE = "reference"

#: samples for true, needs no server
TOY = "nano"

#: what a newcomer can copy; small enough for a laptop without a GPU
EXAMPLE = "crucible benchmark -m ollama:qwen2.5-coder:1.5b"

#: seconds to describe a model; a server that loads its weights first answers late
_ANSWER_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Choice:
    """The models to benchmark."""

    models: tuple[ModelIdentity, ...]
    #: the built-in model to sample as well, where nothing was asked for and nothing answered
    toy: ModelIdentity | None = None
    #: those of `models` that are only there to compare a router with
    companions: tuple[ModelIdentity, ...] = ()


def choose(specs: Sequence[str], style: str | None, tell: Tell) -> Choice:
    """Find the models; needs workers.

    Raises InvalidModelSpec for a spec that cannot be read and ModelError for a model nobody has.
    """
    configured = current().default_model
    wanted = tuple(specs) or ((configured,) if configured else ())
    if wanted:
        found = [describe(_styled(spec, style), tell) for spec in dict.fromkeys(wanted)]
        return Choice(tuple(found))
    discovered = _discover(style, tell)
    if discovered is not None:
        return Choice((discovered,))
    return Choice((describe(REFERENCE),), describe(TOY))


def describe(spec: str, tell: Tell | None = None) -> ModelIdentity:
    """Ask a worker which weights a spec stands for.

    A name that a fine-tune has registered means its model, whatever else is called so; `tell`
    says it then. A router is frozen: see `router_choice`. Raises InvalidModelSpec before anybody
    is asked, ModelError when there is no such model.
    """
    from crucible_api.router_choice import find_router, frozen_identity
    from crucible_tasks.model_names import spelled_out
    from crucible_tasks.model_spec import parse

    spec = spelled_out(spec, current())
    router = find_router(parse(spec), tell)
    if router is not None:
        return frozen_identity(router)
    return answering(resolved(spec, tell))


def answering(spec: str) -> ModelIdentity:
    """What a worker says of a spec that it can read by itself. Raises ModelError."""
    report = ask(spec)
    if not report.models:
        raise ModelError(report.problem or f"{spec}: no such model", hint=report.hint)
    return report.models[0]


def answering_here() -> tuple[ModelIdentity, ...]:
    """Everything that answers on a worker's host."""
    return ask(None).models


def registered_models() -> tuple[ModelIdentity, ...]:
    """The models that fine-tunes have made, by their names."""
    from crucible_api.fine_tunes import open_fine_tunes
    from crucible_tasks.generation import ModelIdentity

    return tuple(
        ModelIdentity(
            spec=adapter.name,
            name=adapter.name,
            server=f"fine-tune of {adapter.base}",
            digest=adapter.artifact,
            style="",
        )
        for adapter in open_fine_tunes(current()).registered()
    )


def ask(spec: str | None) -> ModelReport:
    """Ask a worker about one spec, or with None about everything that answers on its host."""
    from crucible_tasks.generation import MODELS, ModelRequest
    from crucible_tasks.sending import send_and_wait

    return send_and_wait(MODELS, ModelRequest(spec), _ANSWER_SECONDS)


def unnamed(asked: str, others: int) -> str:
    """What is said where nobody named a model: who is asked, of how many more that answer."""
    more = f"{others} more: crucible models; " if others else ""
    return f"no model was named, so this asks {asked} ({more}choose with -m)"


def _discover(style: str | None, tell: Tell) -> ModelIdentity | None:
    from crucible_api.router_choice import default_router
    from crucible_tasks.built_in_router import preferred

    models = answering_here()
    model = preferred(models)
    if model is None:
        return None
    router = default_router(models, style, tell)
    if router is not None:
        return router
    model = model if style is None else replace(model, style=style)
    tell(unnamed(f"{model.spec} on {model.server}", len(models) - 1))
    return model


def registered_spec(spec: str) -> str | None:
    """The spec of the model that a fine-tune has registered under this name.

    Raises InvalidModelSpec, ModelError while its fine-tune has made no model, or where its weights
    are a server's, and what opening the database raises.
    """
    from crucible_tasks.model_spec import ModelKind, parse

    wanted = parse(spec)
    # where nothing was ever stored, nothing is registered, and asking would make a database
    is_there = current().has_database_url or current().database_file.exists()
    # a router's name; others are spelled out before anybody comes here
    is_configured = wanted.name in current().models
    if wanted.kind is not ModelKind.NAME or is_configured:
        return None
    if current().server is not None:
        from crucible_api.remote.models import refuse_registered

        refuse_registered(current(), wanted.name)
        return None
    if not is_there:
        return None
    from crucible_api.fine_tune_reports import spec_of
    from crucible_api.fine_tunes import open_fine_tunes, registered_model

    fine_tunes = open_fine_tunes(current())
    adapter = registered_model(fine_tunes.database, wanted.name)
    if adapter is None:
        fine_tunes.demand_made(wanted.name)
        return None
    return str(replace(parse(spec_of(adapter)), style=wanted.style))


def resolved(spec: str, tell: Tell | None = None) -> str:
    """What a configured name stands for, and the model that is registered under a name."""
    from crucible_tasks.model_names import spelled_out
    from crucible_tasks.model_spec import parse

    spec = spelled_out(spec, current())
    registered = registered_spec(spec)
    if registered is None:
        return spec
    if tell is not None:
        _tell_clash(parse(spec).name, tell)
    return registered


def _tell_clash(name: str, tell: Tell) -> None:
    """Say which model is meant where a server on the usual ports has one of the same name."""
    for model in ask(None).models:
        if model.name.removesuffix(":latest") == name:
            tell(f"{name} is the model of a fine-tune here; the other is {model.spec}")


def refuse_dead_servers(runs: ProgressTeller, wanted: Sequence[RunInfo]) -> None:
    """Raise ModelError before anything is waited for when what is missing cannot be sampled."""
    specs = dict.fromkeys(
        run.model
        for run in wanted
        if (progress := runs.progress(run.id)).generated < progress.planned
    )
    for spec in specs:
        describe(spec)


def _styled(spec: str, style: str | None) -> str:
    from crucible_tasks.model_spec import parse
    from crucible_tasks.router import restyled, router_in

    if style is None:
        return spec
    router = router_in(spec)
    return (
        str(replace(parse(spec), style=style)) if router is None else restyled(router, style).spec
    )

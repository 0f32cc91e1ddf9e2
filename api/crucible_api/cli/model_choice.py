"""Which models a benchmark asks: the given ones, the configured one, or what answers here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crucible_api.cli.output import Voice
from crucible_infra.errors import ModelError
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_tasks.generation import ModelIdentity, ModelReport

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


def choose(specs: Sequence[str], style: str | None, voice: Voice) -> Choice:
    """Find the models; needs workers.

    Raises InvalidModelSpec for a spec that cannot be read and ModelError for a model nobody has.
    """
    configured = current().default_model
    wanted = tuple(specs) or ((configured,) if configured else ())
    if wanted:
        found = [describe(_styled(spec, style), voice) for spec in dict.fromkeys(wanted)]
        return Choice(tuple(found))
    discovered = _discover(voice)
    if discovered is not None:
        return Choice((discovered if style is None else replace(discovered, style=style),))
    return Choice((describe(REFERENCE),), describe(TOY))


def describe(spec: str, voice: Voice | None = None) -> ModelIdentity:
    """Ask a worker which weights a spec stands for.

    A name that a fine-tune has registered means its model, whatever else is called so; `voice`
    says it then. Raises InvalidModelSpec before anybody is asked, ModelError when there is no such
    model.
    """
    report = ask(resolved(spec, voice))
    if not report.models:
        raise ModelError(report.problem or f"{spec}: no such model", hint=report.hint)
    return report.models[0]


def ask(spec: str | None) -> ModelReport:
    """Ask a worker about one spec, or with None about everything that answers on its host."""
    from crucible_tasks.generation import MODELS, ModelRequest
    from crucible_tasks.sending import send_and_wait

    return send_and_wait(MODELS, ModelRequest(spec), _ANSWER_SECONDS)


def preferred(models: Sequence[ModelIdentity]) -> ModelIdentity | None:
    """The most likely code model; models that only embed text cannot answer at all."""
    able = [model for model in models if "embed" not in model.name.lower()]
    coders = [model for model in able if "cod" in model.name.lower()]
    return next(iter(coders or able), None)


def _discover(voice: Voice) -> ModelIdentity | None:
    models = ask(None).models
    model = preferred(models)
    if model is None:
        return None
    others = len(models) - 1
    more = f" ({others} more: crucible models; choose with -m)" if others else ""
    voice.announce(f"no model was named, so this asks {model.spec} on {model.server}{more}")
    return model


def resolved(spec: str, voice: Voice | None = None) -> str:
    """The spec, or that of the model which is registered under this name."""
    from crucible_api.fine_tunes import open_fine_tunes, registered_model, spec_of
    from crucible_tasks.model_spec import ModelKind, parse

    wanted = parse(spec)
    if wanted.kind is not ModelKind.NAME:
        return spec
    adapter = registered_model(open_fine_tunes(current()).database, wanted.name)
    if adapter is None:
        return spec
    if voice is not None:
        _tell_clash(wanted.name, voice)
    return str(replace(parse(spec_of(adapter)), style=wanted.style))


def _tell_clash(name: str, voice: Voice) -> None:
    """Say which model is meant where a server on the usual ports has one of the same name."""
    for model in ask(None).models:
        if model.name.removesuffix(":latest") == name:
            voice.announce(f"{name} is the model of a fine-tune here; the other is {model.spec}")


def _styled(spec: str, style: str | None) -> str:
    from crucible_tasks.model_spec import parse

    return spec if style is None else str(replace(parse(spec), style=style))

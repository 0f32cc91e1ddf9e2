"""The model that answers a prompt: the named one, the configured one, or what answers here."""

from __future__ import annotations

from dataclasses import replace

from crucible_api.cli.output import Voice
from crucible_api.model_choice import registered_spec, unnamed
from crucible_infra.errors import ModelError, ServerUnavailable, StorageError
from crucible_infra.settings import current
from crucible_tasks.answering import Answerer, find_models, open_answerer
from crucible_tasks.built_in_router import built_in, preferred
from crucible_tasks.model_names import spelled_out
from crucible_tasks.model_spec import parse
from crucible_tasks.named_router import named_router
from crucible_tasks.router import describe


def open_model(spec: str | None, voice: Voice) -> Answerer:
    """Open the model; says on stderr which where nobody named one.

    Raises InvalidModelSpec, and ModelError where nothing answers.
    """
    return open_answerer(chosen_spec(spec, voice))


def chosen_spec(spec: str | None, voice: Voice) -> str:
    """What to open: a name that a fine-tune has registered means its model, by an alias too."""
    given = spec or current().default_model
    if given is None:
        return _found(voice)
    wanted = spelled_out(given, current())
    try:
        registered = registered_spec(wanted)
        wanted = _with_trained_members(wanted)
    except (StorageError, ServerUnavailable) as error:
        # the servers may know the name
        voice.warn(f"fine-tuned models are not looked up: {error.message}")
        return wanted
    if registered is not None:
        voice.talk(f"{wanted} is the model of a fine-tune here")
    return registered or wanted


def _with_trained_members(spec: str) -> str:
    """A configured router, those of its members that fine-tunes have made looked up."""
    router = named_router(parse(spec))
    if router is None:
        return spec
    members = tuple(
        replace(one, spec=registered_spec(one.spec) or one.spec) for one in router.members
    )
    return spec if members == router.members else replace(router, members=members).spec


def _found(voice: Voice) -> str:
    models = find_models()
    model = preferred(models)
    if model is None:
        raise ModelError(
            "no model was named, and no model server answers on this host",
            hint="start Ollama, LM Studio, llama.cpp or vLLM, or write -m openai:URL#NAME",
        )
    router = built_in([parse(one.spec) for one in models])
    if router is not None:
        asked = f"the built-in router {router.name}, {describe(router)}"
        voice.talk(unnamed(asked, len(models) - len(router.members)))
        return router.spec
    voice.talk(unnamed(f"{model.spec} on {model.server}", len(models) - 1))
    return model.spec

"""`crucible models describe`: what answers on this host, or what one model spec stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from crucible_api.cli import options
from crucible_api.cli.output import Column, Voice
from crucible_api.cli.registered_names import with_names
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_tasks.generation import ModelIdentity

COLUMNS = (
    Column("model spec", style="bold"),
    Column("server"),
    Column("style", is_whole=True),
    Column("context", is_number=True),
    Column("quantization", is_whole=True, is_extra=True),
    Column("digest", is_whole=True),
)

EPILOG = """\b
Examples:
  crucible models                                 what answers on the usual ports
  crucible models ollama:qwen2.5-coder:1.5b       which weights are behind this name?
  crucible models openai:localhost:8000/v1#my-model --json

\b
Model specs:
  ollama:NAME              the Ollama of this host, or of OLLAMA_HOST
  openai:URL#NAME          LM Studio, llama.cpp, vLLM and whatever speaks their dialect
  hf:PATH_OR_ID[+ADAPTER]  weights on disk, in the hub's cache, or artifact:DIGEST
  replay:FILE              recorded completions
  reference                the dataset's own solutions: proves an installation
  nano[:DIRECTORY]         the built-in toy model, or weights of its kind
  hybrid                   a router over the servers that answer, or what you configured so
  NAME                     what your configuration calls so, a fine-tune's model, or whichever
                           server on the usual ports has it
  ENDPOINT/NAME            a model of a configured server; see crucible config
"""


@click.command(epilog=EPILOG)
@click.argument("spec", required=False)
@options.speaking
def command(voice: Voice, *, spec: str | None) -> None:
    """List the models that answer on this host, or describe the one behind SPEC."""
    from crucible_api.catalogue import described_model, known_models
    from crucible_api.cli.hands import run_hands

    with run_hands(voice, is_judging=False):
        models: Sequence[ModelIdentity] = (
            known_models(current())
            if spec is None
            else (described_model(current(), spec, voice.announce),)
        )
    if voice.is_json:
        voice.data(asdict(models[0]) if spec is not None else [asdict(model) for model in models])
        return
    if models:
        voice.table(COLUMNS, [_row(model) for model in models])
        _tell_router(models, voice)
    else:
        place = "this host" if current().server is None else "the server's host"
        voice.talk(
            f"no model server answers on the usual ports of {place}; the built-in toy model is "
            "always there: crucible benchmark -m nano -d starter -n 10"
        )
    if spec is None and current().default_model:
        voice.talk(f"{current().default_model} is asked when no -m is given")


def _tell_router(models: Sequence[ModelIdentity], voice: Voice) -> None:
    from crucible_tasks.router import describe, router_in

    for router in (router_in(model.spec) for model in models):
        if router is not None:
            voice.answer(f"\n{router.label} is a {with_names(describe(router))}")


def _row(model: ModelIdentity) -> list[str]:
    from crucible_tasks.router import shown

    return [
        shown(model.spec),
        model.server if model.caution is None else f"{model.server}, {model.caution}",
        model.style,
        "" if model.context_tokens is None else str(model.context_tokens),
        model.quantization or "",
        model.digest[:12],
    ]

"""`crucible fine-tune`: train a model on a source tree, register it, prove the gain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crucible_api.cli import options
from crucible_api.cli.output import Voice
from crucible_infra.errors import InvalidInput
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.fine_tune_service import FineTuneService
    from crucible_tasks.recipe import Recipe

#: answers per challenge of a proof: pass@1 of one challenge to a fifth
DEFAULT_PROOF_N = 5

#: flags that win over a recipe's file
_OF_RECIPE = ("max_steps", "seed")

EPILOG = """\b
Examples:
  crucible fine-tune --model codellama:7b --directory ./src --new-model-name my-project-codellama
  crucible fine-tune --model nano --directory . --new-model-name my-nano     a toy, on a laptop
  crucible fine-tune --model hf:Qwen/Qwen2.5-Coder-1.5B --directory . --new-model-name mine --detach
  crucible fine-tune … --recipe recipe.yaml --max-steps 500 --no-proof
  crucible fine-tune … --hosts 4                        four workers of a cluster, as one
  crucible benchmark --model my-project-codellama

The tree becomes a corpus without secrets, other people's code and whatever is in a benchmark. Its
own functions that its tests call become a private benchmark, which is kept out of the training.
When the new model is there, it and the base answer that benchmark and HumanEval with equal
settings; the end says whether it became better at this codebase, by how much, how sure that is,
and whether it became worse elsewhere. Needs codecrucible[train] where it is trained.

Ctrl-C leaves a checkpoint; crucible fine-tunes resume goes on from there.
"""


@click.command("fine-tune", epilog=EPILOG)
@click.option("-m", "--model", required=True, help="What to train; see crucible models.")
@click.option(
    "--directory",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The source tree to train on.",
)
@click.option("--new-model-name", "name", required=True, metavar="NAME", help="Of what it makes.")
@click.option(
    "--base-weights",
    metavar="DIR|ID",
    help="Hugging Face weights to train, where the model's name does not say which.",
)
@click.option("--recipe", "recipe_file", metavar="FILE", help="A YAML file of hyperparameters.")
@click.option("--max-steps", type=click.IntRange(min=1), metavar="N", help="Train no longer.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), metavar="S", help="Of the training.")
@click.option("--instructions", is_flag=True, help="Add pairs from docstrings and commits.")
@click.option(
    "--private",
    metavar="FILE",
    help="A private benchmark of crucible challenges build.  [default: build one]",
)
@click.option(
    "--proof-dataset",
    "proof_datasets",
    multiple=True,
    metavar="D",
    help="What else both models answer.  [default: humaneval; starter for nano]",
)
@click.option(
    "--proof-n",
    type=click.IntRange(min=1),
    metavar="N",
    default=DEFAULT_PROOF_N,
    show_default=True,
    help="Answers per challenge of the proof.",
)
@click.option("--no-proof", is_flag=True, help="Train and register, and prove nothing.")
@click.option(
    "--hosts",
    type=click.IntRange(min=1),
    metavar="N",
    default=1,
    show_default=True,
    help="Workers of the cluster that train it together, all or none.",
)
@click.option("--detach", "is_detached", is_flag=True, help="Start on the cluster and leave.")
@options.speaking
def command(voice: Voice, *, is_detached: bool, **rest: Any) -> None:
    """Fine-tune a model on a source tree, and find out whether that made it better."""
    from crucible_api.cli.fine_tune_inputs import Wish, check
    from crucible_api.fine_tune_checks import demand_shares
    from crucible_api.fine_tune_service import open_fine_tunes

    if is_detached and current().runs_here:
        raise InvalidInput(
            "--detach needs a cluster: without CRUCIBLE_BROKER_URL this process trains",
            hint="leave --detach out; Ctrl-C keeps everything for crucible fine-tunes resume",
        )
    file, flags = rest.pop("recipe_file"), {name: rest.pop(name) for name in _OF_RECIPE}
    wish = Wish(**rest)
    fine_tunes = open_fine_tunes(current())
    base = check(wish, fine_tunes)
    recipe = _recipe(file, base, flags)
    demand_shares(recipe.batch, wish.hosts)
    _carry_out(fine_tunes, wish, base, recipe, voice, is_detached=is_detached)


def _recipe(file: str | None, base: str, flags: dict[str, Any]) -> Recipe:
    from crucible_tasks.fine_tuning import NANO
    from crucible_tasks.recipe import TOY, Recipe, read_recipe

    usual = TOY if base == NANO else Recipe()
    recipe = usual if file is None else read_recipe(file)
    return replace(recipe, **{name: one for name, one in flags.items() if one is not None})


def _carry_out(
    fine_tunes: FineTuneService,
    wish: Any,
    base: str,
    recipe: Recipe,
    voice: Voice,
    *,
    is_detached: bool,
) -> None:
    from crucible_api.cli import conclusion, training_watch
    from crucible_api.cli.fine_tune_inputs import gather
    from crucible_api.cli.hands import run_hands
    from crucible_api.proof_runs import demand_base

    with run_hands(voice, trains=True):
        if current().runs_here:
            demand_base(base, recipe)
        asked = gather(wish, base, recipe, fine_tunes, voice)
        fine_tune_id = fine_tunes.plan_asked(asked, voice.talk)
        voice.talk(f"fine-tune {fine_tune_id}: {wish.model} on {wish.directory} as {wish.name}")
        if is_detached:
            fine_tunes.start(fine_tune_id)
            _leave(fine_tune_id, wish.name, voice)
            return
        with training_watch.stoppable(fine_tunes, fine_tune_id, voice):
            fine_tunes.start(fine_tune_id)
            info = training_watch.follow(fine_tunes, fine_tune_id, voice)
        conclusion.conclude(info, voice)


def _leave(fine_tune_id: str, name: str, voice: Voice) -> None:
    if voice.is_json:
        voice.data({"fine_tune": fine_tune_id, "name": name})
    else:
        voice.answer(fine_tune_id)
    where = current().server or "the cluster"
    voice.talk(f"trains on {where}, and is proved there; crucible fine-tunes show {name}")

"""What a fine-tune is made of: its base weights, its private benchmark, its corpus.

Everything that can be refused is refused in `check`, before anything takes long.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crucible_api.cli import corpus_build, corpus_report, hands
from crucible_api.cli.output import Voice, plural
from crucible_api.fine_tune_checks import (
    demand_cluster,
    demand_name,
    demand_workers,
    require_trainer,
)
from crucible_infra.errors import CrucibleError, InvalidInput
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.fine_tune_service import Asked, FineTuneService
    from crucible_tasks.challenges import Dataset
    from crucible_tasks.corpus.corpus import Corpus
    from crucible_tasks.recipe import Recipe

#: what a toy is asked besides: HumanEval is far beyond it
_TOYS_DATASET = "starter"

_DATASET = "humaneval"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for."""

    model: str
    directory: Path
    name: str
    base_weights: str | None
    instructions: bool
    private: str | None
    proof_datasets: tuple[str, ...]
    proof_n: int
    no_proof: bool
    #: that train it together
    hosts: int


def check(wish: Wish, fine_tunes: FineTuneService) -> str:
    """The weights to train. Raises InvalidInput, or NoWorker where nobody would train."""
    from crucible_tasks.base_weights import base_weights
    from crucible_tasks.model_names import spelled_out
    from crucible_tasks.model_spec import parse

    demand_cluster(wish.hosts)
    demand_name(wish.name)
    fine_tunes.demand_free(wish.name)
    base = base_weights(parse(spelled_out(wish.model, current())), wish.base_weights)
    if Path(base).expanduser().is_dir():
        base = str(Path(base).expanduser().absolute())
        _demand_model(Path(base))
    elif base.startswith((".", "/", "~")):
        raise InvalidInput(f"{base} is not a model: there is no such directory")
    if not wish.directory.is_dir():
        raise InvalidInput(f"{wish.directory}: is no directory")
    corpus_build.require_extra()
    if current().runs_here:
        require_trainer()
    elif current().server is None:
        demand_workers(base, wish.hosts, proves=not wish.no_proof)
    return base


def gather(
    wish: Wish, base: str, recipe: Recipe, fine_tunes: FineTuneService, voice: Voice
) -> Asked:
    """Build the private benchmark and the corpus."""
    from crucible_api.fine_tune_service import Asked

    elsewhere = () if wish.no_proof else _elsewhere(wish, base)
    # before minutes are spent
    for name in elsewhere:
        fine_tunes.check_dataset(name)
    private = _private(wish, voice)
    return Asked(
        name=wish.name,
        model=wish.model,
        base=base,
        recipe=recipe,
        directory=str(wish.directory.absolute()),
        corpus=_corpus(wish, private, voice),
        private=None if wish.no_proof else private,
        elsewhere=elsewhere,
        proof_n=wish.proof_n,
        hosts=wish.hosts,
    )


def _demand_model(directory: Path) -> None:
    for needed in ("config.json", "*.safetensors"):
        if not any(directory.glob(needed)):
            raise InvalidInput(
                f"{directory} is not a model: it has no {needed}",
                hint="--base-weights names a directory with Hugging Face weights in safetensors",
            )


def _elsewhere(wish: Wish, base: str) -> tuple[str, ...]:
    from crucible_tasks.fine_tuning import NANO

    return wish.proof_datasets or (_TOYS_DATASET if base == NANO else _DATASET,)


def _private(wish: Wish, voice: Voice) -> Dataset | None:
    """The tree's own benchmark; without one the proof says less, and the training goes on."""
    from crucible_tasks.challenges import open_dataset

    if wish.private is not None:
        return open_dataset(wish.private)
    if wish.no_proof:
        return None
    try:
        # a server trains, but the tree and what its tests need are here
        with nullcontext() if current().server is None else hands.judging_hands(voice):
            found = _built(wish.directory, voice)
    except CrucibleError as error:
        voice.warn(f"no private benchmark: {error.message}")
        return None
    if found is None:
        voice.warn("no private benchmark: no function here has tests that notice mistakes in it")
    else:
        voice.talk(f"private benchmark: {plural(len(found.challenges), 'challenge')}")
    return found


def _built(directory: Path, voice: Voice) -> Dataset | None:
    from crucible_api.cli import challenges_build
    from crucible_tasks.repository.snapshot import take_snapshot

    snapshot = take_snapshot(directory)
    wishes = challenges_build.wishes_for(directory, snapshot)
    built = challenges_build.build(snapshot, wishes, voice)
    return built.dataset if built.dataset.challenges else None


def _corpus(wish: Wish, private: Dataset | None, voice: Voice) -> Corpus:
    from crucible_api.cli.steps import Steps
    from crucible_tasks.corpus.build import build_corpus
    from crucible_tasks.corpus.options import CorpusOptions

    chosen = CorpusOptions(
        datasets=corpus_build.screened(wish.proof_datasets),
        private=private,
        has_pairs=wish.instructions,
    )
    with Steps(voice) as steps:
        corpus = build_corpus(wish.directory, chosen, steps.tell)
    for note in corpus.report.notes:
        voice.warn(note)
    if not corpus.documents:
        raise corpus_build.empty(wish.directory, corpus)
    voice.talk(_short(corpus_report.summary(corpus)))
    return corpus


def _short(report: str) -> str:
    """The report without each function that a benchmark keeps out: those are a hundred lines."""
    lines = report.splitlines()
    kept = [line for line in lines if not line.startswith("  removed ")]
    removed = len(lines) - len(kept)
    if removed:
        kept.append(f"removed {plural(removed, 'overlap')} with them")
    return "\n".join(kept)

"""What a fine-tune is made of: its base weights, its private benchmark, its corpus.

Everything that can be refused is refused in `check`, before anything takes long.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crucible_api.cli import corpus_build, corpus_report
from crucible_api.cli.output import Voice, plural
from crucible_infra.errors import CrucibleError, InvalidInput, NoWorker
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.fine_tunes import FineTunes
    from crucible_tasks.challenges import Dataset
    from crucible_tasks.corpus.corpus import Corpus

#: typed in shells and written into URLs and paths
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")

#: words that mean something else where a model is named
_RESERVED = ("nano", "reference", "latest", "hybrid")

#: what the trainer needs, as it is imported
_TRAINER = ("torch", "transformers", "peft", "trl")

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


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was made of it."""

    #: weights that every worker can find
    base: str
    #: digest in the artifact store
    corpus: str
    manifest: dict[str, Any]
    proof: dict[str, Any] | None


def check(wish: Wish, fine_tunes: FineTunes) -> str:
    """The weights to train. Raises InvalidInput, or NoWorker where nobody would train."""
    from crucible_tasks.base_weights import base_weights
    from crucible_tasks.model_names import spelled_out
    from crucible_tasks.model_spec import parse

    if wish.hosts > 1 and current().is_embedded:
        raise InvalidInput(
            f"--hosts {wish.hosts} needs a cluster: without CRUCIBLE_BROKER_URL one process trains",
            hint="on every host: CRUCIBLE_BROKER_URL=redis://HOST/0 crucible worker",
        )
    _demand_name(wish.name)
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
    if current().is_embedded:
        _require_trainer()
    else:
        _demand_workers(wish, base)
    return base


def _demand_name(name: str) -> None:
    """Raise InvalidInput for a name by which nobody could ask for the model."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"a model cannot be called {name!r}",
            hint="letters, digits, dots, dashes and underscores, like my-project-codellama",
        )
    if name in _RESERVED or name in current().models:
        of = "your configuration" if name in current().models else "crucible's own"
        raise InvalidInput(
            f"a model cannot be called {name}: that is a name of {of}",
            hint="choose another --new-model-name",
        )


def _demand_workers(wish: Wish, base: str) -> None:
    """Raise NoWorker where nobody would train, or answer and judge what is to be proved."""
    from crucible_tasks import evaluation
    from crucible_tasks.capability import IN_PROCESS
    from crucible_tasks.fine_tuning import NANO, QUEUE
    from crucible_tasks.generation import QUEUE as ANSWERING
    from crucible_tasks.served import demand_worker

    demand_worker(QUEUE, wish.hosts)
    if wish.no_proof:
        return
    try:
        demand_worker(evaluation.QUEUE)
        demand_worker(ANSWERING if base == NANO else IN_PROCESS)
    except NoWorker as error:
        raise NoWorker(
            f"nobody would prove it: {error.message}",
            hint="start workers for generation, with codecrucible[train], and for evaluation, or "
            "leave the proof out with --no-proof",
        ) from error


def gather(wish: Wish, base: str, voice: Voice) -> Inputs:
    """Build the private benchmark and the corpus, and put all where workers find it."""
    from crucible_api import proof
    from crucible_infra.artifacts import open_store
    from crucible_tasks.challenges import open_dataset
    from crucible_tasks.corpus.corpus import digest, encode

    store = open_store(current().artifacts_url)
    # before minutes are spent
    elsewhere = [] if wish.no_proof else [open_dataset(name) for name in _elsewhere(wish, base)]
    private = _private(wish, voice)
    corpus = _corpus(wish, private, voice)
    data = encode(corpus)
    store.put(data)
    wished = None
    if not wish.no_proof:
        wished = proof.wished(store, wish.proof_n, digest(data), private, elsewhere)
    import msgspec

    manifest = {
        "directory": str(wish.directory.absolute()),
        "corpus": {
            "digest": digest(data),
            "origin": corpus.origin,
            "train": msgspec.to_builtins(corpus.report.train),
            "held_out": msgspec.to_builtins(corpus.report.held_out),
        },
    }
    return Inputs(
        base=_travelling(base, voice),
        corpus=digest(data),
        manifest=manifest,
        proof=None if wished is None else msgspec.to_builtins(wished),
    )


def _demand_model(directory: Path) -> None:
    for needed in ("config.json", "*.safetensors"):
        if not any(directory.glob(needed)):
            raise InvalidInput(
                f"{directory} is not a model: it has no {needed}",
                hint="--base-weights names a directory with Hugging Face weights in safetensors",
            )


def _require_trainer() -> None:
    missing = [name for name in _TRAINER if find_spec(name) is None]
    if missing:
        raise InvalidInput(
            f"training needs {', '.join(missing)}, not installed",
            hint="pip install 'codecrucible[train]'",
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


def _travelling(base: str, voice: Voice) -> str:
    """The weights under a name by which every worker finds them."""
    from crucible_infra.artifacts import open_store
    from crucible_infra.bundles import store_directory

    if current().is_embedded or not Path(base).is_dir():
        return base
    voice.talk(f"storing {base} where every host finds it")
    return f"artifact:{store_directory(open_store(current().artifacts_url), Path(base))}"

"""What the training process is told, and what it tells: its job, its steps, its adapter's record.

The process is `python -m crucible_workers.trainer JOB.json`. Its output directory holds

    progress.jsonl      one TrainingStep a line; a resumed process may say a step again
    checkpoints/        step-N, each whole or not taken
    adapter/            written under another name and renamed when complete
    adapter/crucible.json   its AdapterRecord
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from crucible_infra.errors import FormatError, InvalidInput
from crucible_tasks.decoding import decoder
from crucible_tasks.recipe import Recipe

PROGRESS = "progress.jsonl"
CHECKPOINTS = "checkpoints"
ADAPTER = "adapter"
RECORD = "crucible.json"

#: what the process ends with when it was asked to stop and has left a checkpoint: 128 + SIGTERM
EXIT_STOPPED = 143

#: the base of a job that trains the demo model, whose weights come with the workers
NANO = "nano"


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """What to train, on what, how, and where to leave it."""

    #: a directory with Hugging Face weights, an id in the local hub cache, or `nano`
    base: str
    #: the path of an encoded corpus
    corpus: str
    recipe: Recipe
    #: the output directory
    output: str


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """One step of the optimizer; step 0 is the base model before any."""

    step: int
    #: how many there will be, unless it stops early
    steps: int
    #: mean over the step's tokens; None in step 0
    loss: float | None
    #: mean over all held-out tokens; None where this step did not ask
    held_out_loss: float | None
    learning_rate: float | None
    #: that carried code, from the beginning to here: no padding
    tokens: int
    #: of this step, over all processes
    tokens_per_second: float | None
    #: share of the devices' peak; frozen weights get no gradients, and are not counted as if
    mfu: float | None
    #: highest use of a device's memory so far (of the process' where there is no GPU)
    memory_bytes: int | None
    #: since this process began to train
    seconds: float


@dataclass(frozen=True, slots=True)
class AdapterRecord:
    """Where an adapter comes from and what it did to the held-out files."""

    base: str
    #: sha256 over the base's weight files
    base_digest: str
    #: sha256 of the encoded corpus
    corpus_digest: str
    recipe: Recipe
    #: of the optimizer; the kept one is the best of them
    steps: int
    kept_step: int
    stopped_early: bool
    tokens: int
    seconds: float
    #: None where the corpus holds nothing out
    held_out_loss_before: float | None
    held_out_loss: float | None
    perplexity_before: float | None
    perplexity: float | None
    #: what the trainer decided and what the user should know, a sentence each
    notes: tuple[str, ...]
    #: of the libraries that trained it
    versions: dict[str, str]


def write_job(job: TrainingJob, path: Path) -> None:
    """Write JOB.json."""
    path.write_bytes(msgspec.json.encode(job))


def read_job(path: Path) -> TrainingJob:
    """Read JOB.json. Raises InvalidInput for a file that is none."""
    try:
        return decoder(TrainingJob).decode(path.read_bytes())
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise FormatError.at(path, None, str(error)) from error


def read_steps(path: Path) -> dict[int, TrainingStep]:
    """The steps of a progress file so far, by number; what was said again counts."""
    return {step.step: step for step in _lines(path)}


def read_record(adapter: Path) -> AdapterRecord:
    """An adapter's record. Raises InvalidInput for a directory without one."""
    path = adapter / RECORD
    try:
        return decoder(AdapterRecord).decode(path.read_bytes())
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise FormatError.at(path, None, str(error)) from error


def _lines(path: Path) -> Iterator[TrainingStep]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    # a line without its end is still being written
    for line in content.split(b"\n")[:-1]:
        yield decoder(TrainingStep).decode(line)

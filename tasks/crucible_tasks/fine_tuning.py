"""Contracts: fine-tune a model, store what its training tells; and the training process' files.

A worker asks the controller before it begins, and tells it every second what came of it; each
answer says whether the fine-tune is still wanted. So a worker needs no database, a fine-tune that
was stopped ends within seconds, and one that was begun twice goes on once.

The training process is `python -m crucible_workers.trainer JOB.json`. Its output directory holds

    progress.jsonl      one TrainingStep a line; a resumed process may say a step again
    checkpoints/        step-N, each whole or not taken
    adapter/            written under another name and renamed when complete
    adapter/crucible.json   its AdapterRecord
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from crucible_infra.errors import FormatError, InvalidInput
from crucible_tasks import control
from crucible_tasks.contract import Contract
from crucible_tasks.decoding import decoder
from crucible_tasks.recipe import Recipe

#: of the hosts that train
QUEUE = "fine_tune"

PROGRESS = "progress.jsonl"
CHECKPOINTS = "checkpoints"
ADAPTER = "adapter"
RECORD = "crucible.json"

#: written last into a checkpoint, which is whole because of it
WHOLE = "whole.json"

#: before the names of checkpoints' directories; their steps come behind it
CHECKPOINT = "checkpoint-"

#: what the process ends with when it was asked to stop and has left a checkpoint: 128 + SIGTERM
EXIT_STOPPED = 143

#: what it ends with when another member of its gang is gone: sysexits' "try again"
EXIT_GANG_BROKEN = 75

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
class HeldOutFile:
    """How well one held-out file is predicted; losses are sums over its tokens."""

    path: str
    tokens: int
    loss_before: float
    loss: float


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
    #: the same held-out losses, file by file
    held_out_files: tuple[HeldOutFile, ...] = ()


#: how a note begins that must not be missed among what a training says of itself
CAUTION = "little to train on: "


class FineTuneState(StrEnum):
    """Where a fine-tune stands."""

    PLANNED = "planned"
    RUNNING = "running"
    #: by a person; goes on from its last checkpoint when it is resumed
    STOPPED = "stopped"
    #: its model is registered
    FINISHED = "finished"
    #: and its name is free again
    FAILED = "failed"
    #: its process was killed; found out by whoever looks, never stored
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class FineTuneRequest:
    """Ask for a training from its last checkpoint, or from the beginning, to its end."""

    fine_tune_id: str
    #: as in TrainingJob, or `artifact:DIGEST`
    base: str
    #: digest of the encoded corpus in the artifact store
    corpus: str
    recipe: Recipe
    #: how often it was asked for before, sealed: see `tickets`
    attempt: int
    #: which member of a gang is asked for, from 0; None: one host does it all
    member: int | None = None


@dataclass(frozen=True, slots=True)
class SavedCheckpoint:
    """A whole checkpoint in the artifact store."""

    #: of its directory
    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class TrainingFailure:
    """Why a training ended without an adapter."""

    reason: str
    #: whether another attempt can help
    is_transient: bool
    #: of the trainer, where it said why itself
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class TrainedAdapter:
    """What a training made, in the artifact store."""

    digest: str
    record: AdapterRecord


@dataclass(frozen=True, slots=True)
class TrainingNews:
    """What has come of a training since it last told."""

    fine_tune_id: str
    #: of the request, as it was there
    attempt: int
    host: str
    steps: tuple[TrainingStep, ...] = ()
    #: all there are now; None while those of before are still all
    checkpoints: tuple[SavedCheckpoint, ...] | None = None
    notes: tuple[str, ...] = ()
    #: at most one of these three, and then nothing follows
    adapter: TrainedAdapter | None = None
    failure: TrainingFailure | None = None
    has_stopped: bool = False
    #: of a gang's member: which, and as whom it reported for duty. The first tells of the training,
    #: the others only that they are there
    member: int | None = None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class TrainingOrder:
    """What the controller says to that."""

    #: False: nobody wants it any more, or another worker has it
    goes_on: bool
    #: all that are known now: where to go on from
    checkpoints: tuple[SavedCheckpoint, ...] = ()
    #: nothing of this attempt is taken any more: not even a checkpoint is of use
    is_over: bool = False


FINE_TUNE = Contract("crucible.fine_tune", QUEUE, FineTuneRequest, control.Done)
STORE_TRAINING = Contract(
    "crucible.store_training", control.QUEUE, TrainingNews, TrainingOrder, keeps_result=True
)


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

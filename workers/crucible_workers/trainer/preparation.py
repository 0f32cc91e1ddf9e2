"""Everything that is decided before the weights are loaded, so that a refusal comes at once."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import torch
from accelerate import PartialState

from crucible_infra.errors import InvalidInput
from crucible_tasks.corpus.corpus import Corpus, decode
from crucible_tasks.fine_tuning import CAUTION, TrainingJob
from crucible_tasks.recipe import Recipe
from crucible_workers.trainer.examples import Example, Examples, build_examples
from crucible_workers.trainer.gathering import told_by_all
from crucible_workers.trainer.memory import Plan, available_bytes, plan, rehearse
from crucible_workers.trainer.packing import Schedule, pack, schedule
from crucible_workers.trainer.tokenising import Tokens
from crucible_workers.trainer.weights import Base, find_base
from crucible_workers.trainer.work import Work

_GIB = 2**30

#: how often a row may come before it is learned by heart, and steps that change anything
_MOST_ROUNDS, _LEAST_STEPS = 10, 10

#: how long a member waits for the others: loading 70 billion weights from a slow disk takes so long
_PATIENCE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Gang:
    """The processes that train together; most often one."""

    rank: int
    size: int
    #: on this host
    neighbours: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes for all."""
        return self.rank == 0


@dataclass(frozen=True, slots=True)
class Preparation:
    """What will be done."""

    gang: Gang
    base: Base
    base_digest: str
    corpus_digest: str
    tokens: Tokens
    rows: Any
    held_out_rows: Any
    held_out: list[Example]
    schedule: Schedule
    plan: Plan
    work: Work
    notes: tuple[str, ...]

    def identity(self, job: TrainingJob) -> str:
        """A digest of what decides the losses: only the same job may go on from a checkpoint."""
        facts = (self.base_digest, self.corpus_digest, job.recipe)
        return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()


def prepare(job: TrainingJob) -> Preparation:
    """Read all that is needed and lay out the steps.

    Raises InvalidInput for what cannot be trained, NotEnoughMemory for what does not fit.
    """
    gang = _join()
    recipe = job.recipe
    base = find_base(job.base)
    content = _read(job.corpus)
    tokens = Tokens(base.tokenizer, base.config.vocab_size)
    examples = build_examples(_decoded(job.corpus, content), tokens, recipe)
    if recipe.sharding == "fsdp" and gang.device.type != "cuda":
        # accelerate would leave every process all weights, without a word
        raise InvalidInput("sharding: fsdp needs GPUs", hint="set sharding: ddp")
    if recipe.batch % gang.size:
        raise InvalidInput(f"batch {recipe.batch} cannot be shared by {gang.size} processes")
    rehearsal = rehearse(base.config, recipe, gang.device)
    available = available_bytes(recipe, gang.device, gang.neighbours)
    memory_plan = plan(rehearsal.need, recipe, recipe.batch // gang.size, available)
    rows = pack(examples.train, recipe)
    steps = schedule(rows, recipe)
    return Preparation(
        gang,
        base,
        base.digest(),
        hashlib.sha256(content).hexdigest(),
        tokens,
        rows,
        pack(examples.held_out, recipe) if examples.held_out else None,
        examples.held_out,
        steps,
        memory_plan,
        rehearsal.work,
        tuple(_notes(examples, steps, memory_plan, rows, recipe)),
    )


def _join() -> Gang:
    # a gang's first word comes after its members have loaded their weights
    patience = timedelta(seconds=_PATIENCE_SECONDS)
    state = PartialState(cpu=not torch.cuda.is_available(), timeout=patience)
    hosts = told_by_all(socket.gethostname())
    neighbours = hosts.count(socket.gethostname())
    return Gang(state.process_index, state.num_processes, neighbours, state.device)


def use_threads(asked: int | None) -> None:
    """Give this process its threads; OMP_NUM_THREADS has already been heard by torch."""
    cores = len(os.sched_getaffinity(0))
    torch.set_num_threads(asked or min(torch.get_num_threads(), cores))


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}") from error


def _decoded(path: str, content: bytes) -> Corpus:
    try:
        return decode(content)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error.message}", hint=error.hint) from error


def caution(rows: int, tokens: int, steps: Schedule, recipe: Recipe) -> Iterator[str]:
    """What is to be said where the corpus is too small for the steps, or gives too few of them."""
    rounds = steps.steps * steps.batch / rows
    if rounds > _MOST_ROUNDS:
        most = max(1, _MOST_ROUNDS * rows // steps.batch)
        yield (
            f"{CAUTION}{rows:,} rows ({tokens:,} tokens) come {rounds:,.0f} times each in "
            f"{steps.steps:,} steps, and are learned by heart; add files, or set max_steps: {most}"
        )
    elif recipe.max_steps is None and steps.steps < _LEAST_STEPS:
        yield (
            f"{CAUTION}{rows:,} rows ({tokens:,} tokens) make {steps.steps:,} steps of "
            f"{steps.batch}, which change hardly anything; add files, or lower batch"
        )


def _notes(
    examples: Examples, steps: Schedule, memory: Plan, rows: Any, recipe: Recipe
) -> Iterator[str]:
    yield from examples.notes
    used = sum(len(row) for row in rows["input_ids"])
    yield f"{len(rows):,} rows of {used / len(rows):,.0f} tokens, {steps.steps:,} steps"
    yield from caution(len(rows), used, steps, recipe)
    saved = "recomputed" if memory.is_checkpointed else "kept"
    yield (
        f"{memory.micro_batch} rows at once, activations {saved}: about "
        f"{memory.needed / _GIB:.3g} GiB of {memory.available / _GIB:.3g}"
    )

"""A tiny base, a corpus and a place for jobs, with a process that forks trainers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from crucible_tasks.fine_tuning import (
    AdapterRecord,
    TrainingJob,
    TrainingStep,
    read_record,
    read_steps,
    write_job,
)
from crucible_tasks.recipe import Recipe
from trainer_host import TrainerHost

RECIPE = Recipe(
    rank=4,
    alpha=8,
    learning_rate=0.02,
    max_steps=12,
    batch=4,
    sequence_tokens=256,
    eval_every=4,
    checkpoint_every=2,
    # the same on every host: some CPUs would compute in bfloat16, and then no two ways agree
    precision="float32",
)


@dataclass(frozen=True, slots=True)
class Bench:
    """A base, a corpus, a process that forks, and a place for jobs."""

    host: TrainerHost
    directory: Path

    @property
    def base(self) -> Path:
        return self.directory / "base"

    @property
    def corpus(self) -> Path:
        return self.directory / "corpus.jsonl"

    def job(self, name: str, recipe: Recipe = RECIPE, base: Path | None = None) -> Path:
        path = self.directory / f"{name}.json"
        job = TrainingJob(str(base or self.base), str(self.corpus), recipe, str(self.output(name)))
        write_job(job, path)
        return path

    def output(self, name: str) -> Path:
        return self.directory / name

    def adapter(self, name: str) -> Path:
        return self.output(name) / "adapter"

    def record(self, name: str) -> AdapterRecord:
        return read_record(self.adapter(name))

    def steps(self, name: str) -> dict[int, TrainingStep]:
        return read_steps(self.output(name) / "progress.jsonl")

    def losses(self, name: str) -> dict[int, tuple[float | None, float | None, int]]:
        return {
            number: (step.loss, step.held_out_loss, step.tokens)
            for number, step in self.steps(name).items()
        }

    def said(self, name: str) -> str:
        return (self.directory / f"{name}.err").read_text()

    def last_word(self, name: str) -> str:
        return self.said(name).splitlines()[-1]

    def wait_for(self, name: str, step: int) -> None:
        deadline = time.monotonic() + 60
        while step not in self.steps(name):
            assert time.monotonic() < deadline, self.said(name)
            time.sleep(0.01)

"""Tells every step as it ends: one TrainingStep a line, written by one process of a gang."""

from __future__ import annotations

import math
import resource
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import torch
from transformers import TrainerCallback

from crucible_infra.errors import LossDiverged
from crucible_tasks.fine_tuning import TrainingStep
from crucible_workers.trainer.packing import Schedule
from crucible_workers.trainer.work import Work


class ProgressFile:
    """Lines of steps; what a killed process left half written is cut off first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if path.exists():
            content = path.read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                with path.open("r+b") as file:
                    file.truncate(whole)

    def write(self, step: TrainingStep) -> None:
        """Add a line at once."""
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(step) + b"\n")


class Progress(TrainerCallback):
    """Writes a step's line when its loss is known, or its held-out loss where that is asked for."""

    def __init__(self, file: ProgressFile, schedule: Schedule, work: Work, devices: int) -> None:
        self._file = file
        self._schedule = schedule
        self._work = work
        self._devices = devices
        self._began = self._mark = time.monotonic()
        self._held: TrainingStep | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock."""
        del args, state, control, kwargs
        self._began = self._mark = time.monotonic()

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, float], **kwargs: Any
    ) -> None:
        """Take the loss of a step. Raises LossDiverged."""
        del args, kwargs
        if "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]):
            raise LossDiverged(
                f"the loss is no longer a number in step {state.global_step}",
                hint="lower learning_rate; checkpoints of earlier steps are whole",
            )
        self._held = self._step(state.global_step, logs["loss"], logs["learning_rate"])
        if not control.should_evaluate:
            self._tell(state)

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: dict[str, float], **kwargs: Any
    ) -> None:
        """Complete the step with its held-out loss."""
        del args, control, kwargs
        if self._held is not None:
            loss = metrics["eval_loss"]
            self._held = replace(self._held, held_out_loss=loss)
            self._tell(state)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """A checkpoint's time is no step's."""
        del args, state, control, kwargs
        self._mark = time.monotonic()

    def _step(self, number: int, loss: float, rate: float) -> TrainingStep:
        now = time.monotonic()
        seconds, self._mark = now - self._mark, now
        tokens = self._schedule.tokens[number] - self._schedule.tokens[number - 1]
        return TrainingStep(
            step=number,
            steps=self._schedule.steps,
            loss=loss,
            held_out_loss=None,
            learning_rate=rate,
            tokens=self._schedule.tokens[number],
            tokens_per_second=tokens / seconds,
            mfu=self._work.utilisation(
                tokens, self._schedule.squares[number - 1], seconds, self._devices
            ),
            memory_bytes=memory_in_use(),
            seconds=now - self._began,
        )

    def _tell(self, state: Any) -> None:
        assert self._held is not None
        if state.is_world_process_zero:
            self._file.write(self._held)
        self._held = None
        self._mark = time.monotonic()


def memory_in_use() -> int:
    """The most that was used so far: of the GPU, or by this process where there is none."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    # Linux counts in KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

"""The finished adapter: the best checkpoint's files and their record, complete or not there."""

from __future__ import annotations

import math
import shutil
from importlib.metadata import version
from pathlib import Path

import msgspec

from crucible_tasks.fine_tuning import RECORD, AdapterRecord, HeldOutFile
from crucible_workers.trainer.checkpoints import Checkpoint
from crucible_workers.trainer.held_out import FileLoss

#: what a checkpoint holds for its own continuation
_ONLY_FOR_TRAINING = (
    "optimizer.pt",
    "scheduler.pt",
    "scaler.pt",
    "rng_state*",
    "trainer_state.json",
    "held_out.json",
    "training_args.bin",
    "whole.json",
    "README.md",
)

#: what decides what a training does, down to the last digit
_LIBRARIES = ("torch", "transformers", "peft", "trl", "accelerate")


def best_of(checkpoints: list[Checkpoint]) -> Checkpoint:
    """The checkpoint with the lowest held-out loss; the last where nothing was held out."""
    losses = checkpoints[-1].held_out_losses()
    known = [checkpoint for checkpoint in checkpoints if checkpoint.step in losses]
    # of equals the earlier one: it has forgotten less
    return min(known, key=lambda checkpoint: losses[checkpoint.step]) if known else checkpoints[-1]


def finish(checkpoint: Checkpoint, record: AdapterRecord, directory: Path) -> None:
    """Write the adapter under another name, then rename it."""
    new = directory.with_name(f".{directory.name}-new")
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(checkpoint.directory, new, ignore=shutil.ignore_patterns(*_ONLY_FOR_TRAINING))
    (new / RECORD).write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2))
    new.rename(directory)


def held_out_files(
    before: dict[str, FileLoss], after: dict[str, FileLoss]
) -> tuple[HeldOutFile, ...]:
    """Every file that was asked both times."""
    return tuple(
        HeldOutFile(path, one.tokens, before[path].loss, one.loss)
        for path, one in after.items()
        if path in before and one.tokens
    )


def perplexity(loss: float | None) -> float | None:
    """How many tokens the model wavers between; None where there is no finite answer."""
    if loss is None or loss > math.log(1e300):
        return None
    return math.exp(loss)


def library_versions() -> dict[str, str]:
    """Of what trained it."""
    return {name: version(name) for name in _LIBRARIES}

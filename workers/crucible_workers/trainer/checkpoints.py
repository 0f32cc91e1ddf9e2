"""Checkpoints that are whole or not taken, whenever a process was killed.

A checkpoint is complete when it holds `whole.json`, which is written last, after every other file
has reached the disk, and names them with their sizes. It also says which job it belongs to.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from torch import distributed
from transformers import TrainerCallback

from crucible_infra.errors import InvalidInput
from crucible_tasks.fine_tuning import WHOLE as _WHOLE
from crucible_workers.trainer.held_out import FileLoss, HeldOut

_STATE = "trainer_state.json"
_FILES = "held_out.json"


class _Manifest(msgspec.Struct, frozen=True):
    job: str
    sizes: dict[str, int]


class _Entry(msgspec.Struct, frozen=True):
    step: int
    eval_loss: float | None = None


class _State(msgspec.Struct, frozen=True):
    global_step: int
    log_history: list[_Entry]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One that is whole."""

    directory: Path
    step: int

    def held_out_files(self) -> dict[str, FileLoss]:
        """The same file by file, of this checkpoint's step; none where it was not asked."""
        try:
            content = (self.directory / _FILES).read_bytes()
        except FileNotFoundError:
            return {}
        return msgspec.json.decode(content, type=dict[str, FileLoss])

    def held_out_losses(self) -> dict[int, float]:
        """What the held-out files said until then, by step."""
        state = msgspec.json.decode((self.directory / _STATE).read_bytes(), type=_State)
        return {
            entry.step: entry.eval_loss
            for entry in state.log_history
            if entry.eval_loss is not None
        }


def whole_checkpoints(directory: Path, job: str) -> list[Checkpoint]:
    """The whole ones of this job, the oldest first.

    Raises InvalidInput where the directory belongs to another job.
    """
    found = []
    for path in directory.glob("checkpoint-*"):
        manifest = _manifest(path)
        if manifest is None:
            continue
        if manifest.job != job:
            raise InvalidInput(
                f"{directory} holds checkpoints of another job",
                hint="name another output directory, or remove it",
            )
        found.append(Checkpoint(path, int(path.name.rpartition("-")[2])))
    return sorted(found, key=lambda checkpoint: checkpoint.step)


def remove_partial(directory: Path) -> None:
    """Give back the space of checkpoints that were never finished."""
    for path in directory.glob("checkpoint-*"):
        if _manifest(path) is None:
            shutil.rmtree(path, ignore_errors=True)


class MakeWhole(TrainerCallback):
    """Declares each checkpoint whole once all processes have written theirs."""

    def __init__(self, directory: Path, job: str, held_out: HeldOut | None) -> None:
        self._directory = directory
        self._job = job
        self._held_out = held_out

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Write `whole.json`."""
        del args, control, kwargs
        if distributed.is_initialized():
            distributed.barrier()
        if not state.is_world_process_zero:
            return
        new = self._directory / f"checkpoint-{state.global_step}"
        losses = {
            entry["step"]: entry["eval_loss"] for entry in state.log_history if "eval_loss" in entry
        }
        # it was asked in this very step, before the checkpoint
        if self._held_out is not None and state.global_step in losses:
            (new / _FILES).write_bytes(msgspec.json.encode(self._held_out.files))
        declare_whole(new, self._job)
        # only now, and never the best
        best = min(losses, key=losses.__getitem__) if losses else None
        for old in self._directory.glob("checkpoint-*"):
            if old != new and old.name != f"checkpoint-{best}":
                (old / _WHOLE).unlink(missing_ok=True)
                shutil.rmtree(old)


def declare_whole(checkpoint: Path, job: str) -> None:
    """Let all files reach the disk, then say so."""
    sizes = {}
    for path in sorted(checkpoint.rglob("*")):
        if path.is_file() and path.name != _WHOLE:
            _sync(path)
            sizes[str(path.relative_to(checkpoint))] = path.stat().st_size
    new = checkpoint / f".{_WHOLE}"
    new.write_bytes(msgspec.json.encode(_Manifest(job, sizes)))
    _sync(new)
    new.replace(checkpoint / _WHOLE)
    _sync(checkpoint)


def _manifest(checkpoint: Path) -> _Manifest | None:
    try:
        found = msgspec.json.decode((checkpoint / _WHOLE).read_bytes(), type=_Manifest)
        # a rotation that was killed leaves whole.json and too few files
        is_there = all(
            (checkpoint / name).stat().st_size == size for name, size in found.sizes.items()
        )
    except (OSError, msgspec.MsgspecError):
        return None
    return found if is_there else None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

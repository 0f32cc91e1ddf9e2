"""What libraries raise while they train, as errors of ours: no memory, no space, or a defect."""

from __future__ import annotations

import errno
import traceback

import torch
from torch import distributed

from crucible_infra.errors import (
    CrucibleError,
    DiskFull,
    GangBroken,
    NotEnoughMemory,
    TrainingError,
)

#: out of space, out of quota
_FULL = (errno.ENOSPC, errno.EDQUOT)

#: how safetensors (Rust) and torch's writer (C++) tell that a disk is full
_FULL_WORDS = ("No space left on device", "os error 28", "os error 122", "unexpected pos")

#: how gloo and NCCL tell that a peer has died or cannot be reached
_GONE_WORDS = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "NCCL error")

_MEMORY_WORDS = ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")

#: what frees memory, the cheapest first
LESS_MEMORY = (
    "set micro_batch: 1, activation_checkpointing: on, a smaller sequence_tokens or method: qlora"
)


def told(error: Exception) -> CrucibleError:
    """The error a user can act on; a defect keeps the place it comes from."""
    text = str(error)
    if isinstance(error, OSError) and error.errno in _FULL:
        return DiskFull(f"the checkpoint could not be written: {error.filename or ''} disk is full")
    if any(word in text for word in _FULL_WORDS):
        return DiskFull(
            "the checkpoint could not be written: no space is left on the device",
            hint="free some; the training goes on from the last whole checkpoint",
        )
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        word in text for word in _MEMORY_WORDS
    ):
        return NotEnoughMemory("training ran out of memory", hint=LESS_MEMORY)
    if isinstance(error, distributed.DistError) or any(word in text for word in _GONE_WORDS):
        return GangBroken(hint="start all members again; they go on from the last checkpoint")
    place = traceback.extract_tb(error.__traceback__)[-1]
    reason = " ".join(text.split())[:300]
    return TrainingError(
        f"training failed: {type(error).__name__}: {reason} ({place.filename}:{place.lineno})"
    )

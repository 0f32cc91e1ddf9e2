"""A gang's checkpoints on every host: who lacks the newest ones gets them from who has them.

Hosts of a gang share no disk, and only one of them writes checkpoints. After a member died, the
gang may meet again on other hosts; one that holds the last checkpoint is enough.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from torch import distributed

from crucible_tasks.fine_tuning import WHOLE
from crucible_workers.trainer.checkpoints import Checkpoint, whole_checkpoints
from crucible_workers.trainer.gathering import told_by_all

#: bytes of a file that travel at once, through each process' memory
_CHUNK = 64 * 2**20


def last_of_all(directory: Path, job: str) -> Checkpoint | None:
    """The newest checkpoint that any member holds, now on this host too; each must ask."""
    own = whole_checkpoints(directory, job)
    held = told_by_all([checkpoint.step for checkpoint in own])
    newest = [max(steps, default=-1) for steps in held]
    source = newest.index(max(newest))
    for step in held[source]:
        if not all(step in steps for steps in held):
            mine = next((checkpoint for checkpoint in own if checkpoint.step == step), None)
            _hand_over(directory / f"checkpoint-{step}", source, mine)
    found = {checkpoint.step: checkpoint for checkpoint in whole_checkpoints(directory, job)}
    return found.get(newest[source])


def _hand_over(checkpoint: Path, source: int, own: Checkpoint | None) -> None:
    rank = distributed.get_rank()
    new = checkpoint.with_name(f".{checkpoint.name}-{rank}")
    shutil.rmtree(new, ignore_errors=True)
    parts = _parts(checkpoint) if rank == source else iter(())
    while True:
        message = [next(parts, None)]
        distributed.broadcast_object_list(message, src=source)
        if message[0] is None:
            break
        if own is None:
            name, content = message[0]
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            with (new / name).open("ab") as file:
                file.write(content)
    if own is None:
        _put_in_place(new, checkpoint)


def _put_in_place(new: Path, checkpoint: Path) -> None:
    if not (checkpoint / WHOLE).exists():
        shutil.rmtree(checkpoint, ignore_errors=True)
        new.rename(checkpoint)
    else:
        # another process of this host was quicker
        shutil.rmtree(new, ignore_errors=True)


def _parts(checkpoint: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(checkpoint.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                name = str(path.relative_to(checkpoint))
                yield name, file.read(_CHUNK)
                while content := file.read(_CHUNK):
                    yield name, content

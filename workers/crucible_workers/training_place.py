"""A training's own directory on this host: what it reads, what it leaves, and what travels.

Below it lie the corpus, JOB.json, and the trainer's output. In a cluster every whole checkpoint is
copied to the artifact store, so any host can go on; the copies of those that the trainer removes
are removed too. A laptop's fine-tune goes on where it was, so there nothing is stored twice.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from crucible_infra import log
from crucible_infra.artifacts import ArtifactStore
from crucible_infra.bundles import fetch_directory, store_directory
from crucible_infra.errors import CrucibleError, DiskFull, StorageError
from crucible_tasks.fine_tuning import (
    ADAPTER,
    CHECKPOINT,
    CHECKPOINTS,
    NANO,
    PROGRESS,
    WHOLE,
    FineTuneRequest,
    SavedCheckpoint,
    TrainedAdapter,
    TrainingJob,
    read_record,
    write_job,
)
from crucible_workers.weight_files import artifact_digest, locate


class TrainingPlace:
    """The directory of one fine-tune, held by one process at a time."""

    def __init__(self, root: Path, store: ArtifactStore, *, is_shared: bool) -> None:
        self._root = root
        self._store = store
        #: whether other hosts may have to go on
        self._is_shared = is_shared
        self._saved: dict[str, SavedCheckpoint] = {}
        #: copies of what the trainer has removed, which the next attempt may still be told of
        self._replaced: list[SavedCheckpoint] = []
        self._output = root / "output"
        self.job = root / "job.json"
        self.log = root / "trainer.log"
        self.progress = self._output / PROGRESS

    def prepare(self, request: FineTuneRequest, checkpoints: Sequence[SavedCheckpoint]) -> None:
        """Have all that the trainer reads. Raises StorageError."""
        self._saved = {one.name: one for one in checkpoints}
        with _told(self._root):
            corpus = self._root / "corpus.jsonl"
            corpus.write_bytes(self._store.get(request.corpus))
            base = self._base(request.base)
            for one in checkpoints:
                self._fetch(one)
            self._output.mkdir(exist_ok=True)
            job = TrainingJob(base, str(corpus), request.recipe, str(self._output))
            write_job(job, self.job)

    def new_checkpoints(self) -> tuple[SavedCheckpoint, ...] | None:
        """Copy whole checkpoints where others find them; None when nothing has changed."""
        if not self._is_shared:
            return None
        there = self._whole()
        fresh = [path for path in there if path.name not in self._saved]
        old = self._saved.keys() - {path.name for path in there}
        if not fresh:
            return None
        for path in fresh:
            # the trainer may remove it meanwhile, for a newer one
            with suppress(CrucibleError):
                self._saved[path.name] = SavedCheckpoint(
                    path.name, store_directory(self._store, path)
                )
        self._replaced += [self._saved.pop(name) for name in old]
        return tuple(self._saved.values())

    def forget_replaced(self, known: Sequence[SavedCheckpoint]) -> None:
        """Remove copies that newer ones replace, once these are what is known to the controller."""
        if self._replaced and {*known} == {*self._saved.values()}:
            for checkpoint in self._replaced:
                self._forget(checkpoint)
            self._replaced.clear()

    def adapter(self) -> TrainedAdapter:
        """Put the finished adapter into the store. Raises CrucibleError where there is none."""
        directory = self._output / ADAPTER
        record = read_record(directory)
        return TrainedAdapter(store_directory(self._store, directory), record)

    def clear(self) -> None:
        """Give the space back."""
        for saved in (*self._saved.values(), *self._replaced):
            self._forget(saved)
        shutil.rmtree(self._root, ignore_errors=True)

    def _whole(self) -> list[Path]:
        found = (self._output / CHECKPOINTS).glob(f"{CHECKPOINT}*")
        return [path for path in found if (path / WHOLE).exists()]

    def _base(self, base: str) -> str:
        # the trainer looks ids of the hub up itself, and says what is missing
        is_kept = base == NANO or artifact_digest(base) is not None
        return str(locate(base)) if is_kept else base

    def _fetch(self, checkpoint: SavedCheckpoint) -> None:
        try:
            directory = self._output / CHECKPOINTS / checkpoint.name
            if not (directory / WHOLE).exists():
                # what a kill left of the same one
                shutil.rmtree(directory, ignore_errors=True)
            fetch_directory(self._store, checkpoint.digest, directory)
        except CrucibleError as error:
            # an older one, or the beginning, leads to the same end
            log.warning("checkpoint_lost", checkpoint=checkpoint.name, problem=error.message)

    def _forget(self, checkpoint: SavedCheckpoint) -> None:
        with suppress(StorageError):
            self._store.remove(checkpoint.digest)


@contextmanager
def training_place(root: Path, store: ArtifactStore, *, is_shared: bool) -> Iterator[TrainingPlace]:
    """The directory, for one process; Linux lets go of it when that dies.

    Raises StorageError when another process has it, or it cannot be written.
    """
    with _told(root):
        root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(root.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StorageError(f"{root}: another process of this host trains there") from error
        yield TrainingPlace(root, store, is_shared=is_shared)
    finally:
        os.close(descriptor)


@contextmanager
def _told(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"{root}: no space is left") from error
        raise StorageError(f"{root} cannot be written: {error.strerror}") from error

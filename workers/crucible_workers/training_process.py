"""The training process, seen from outside: started on one GPU, followed, stopped, understood."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from crucible_infra import settings
from crucible_infra.gpus import visible_gpus
from crucible_tasks.decoding import decoder
from crucible_tasks.fine_tuning import (
    EXIT_GANG_BROKEN,
    EXIT_STOPPED,
    TrainingFailure,
    TrainingStep,
)

TRAINER = (sys.executable, "-m", "crucible_workers.trainer")

#: seconds without a step after which a training counts as hung: loading 70 billion weights from a
#: slow disk takes ten minutes, and so may a step of a small GPU
SILENT_SECONDS = 1800.0

#: seconds a training may take to leave a checkpoint when it was asked to stop
_STOP_SECONDS = 600.0

#: how lines on the trainer's stderr begin
_NOTE, _ERROR = "note: ", "error: "

#: lines of a crash that are told when the trainer did not say itself what was wrong
_LAST_WORDS = 300


class TrainingProcess:
    """One start of the trainer; it dies with the thread that made it."""

    def __init__(self, job: Path, progress: Path, log: Path, trainer: Sequence[str]) -> None:
        self._log = log
        self._progress = _Tail(progress)
        # what an earlier process has told already is told again, which changes nothing
        self._heard_at = time.monotonic()
        self._told_notes = 0
        self._asked_at: float | None = None
        #: why it was killed from here
        self._fault: str | None = None
        gpus = visible_gpus()
        pinned = {"CUDA_VISIBLE_DEVICES": gpus[0]} if gpus else {}
        tether = (sys.executable, "-m", "crucible_workers.tether", str(os.getpid()))
        with log.open("wb") as errors:
            self._process = subprocess.Popen(  # noqa: S603 -- our own program and arguments
                [*tether, *trainer, str(job)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=settings.for_child(**pinned),
                # a terminal's Ctrl-C is for the command, which asks politely
                start_new_session=True,
            )

    @property
    def is_alive(self) -> bool:
        """Whether it still runs; one that hangs is killed."""
        if self._process.poll() is not None:
            return False
        now = time.monotonic()
        if self._asked_at is not None and now - self._asked_at > _STOP_SECONDS:
            self._kill(f"it did not stop within {_STOP_SECONDS:g} s")
        elif now - self._heard_at > SILENT_SECONDS:
            self._kill(f"it has said nothing for {SILENT_SECONDS:g} s")
        return True

    @property
    def was_asked(self) -> bool:
        """Whether it was asked to stop from here."""
        return self._asked_at is not None

    @property
    def has_stopped(self) -> bool:
        """Whether it has ended as one that was asked to; any member of a gang may have been."""
        return self._process.returncode == EXIT_STOPPED

    @property
    def is_left_alone(self) -> bool:
        """Whether it has ended because another member of its gang is gone."""
        return self._process.returncode == EXIT_GANG_BROKEN

    def steps(self) -> tuple[TrainingStep, ...]:
        """What it has told since this was last asked."""
        found = tuple(self._progress.read())
        if found:
            self._heard_at = time.monotonic()
        return found

    def notes(self) -> tuple[str, ...]:
        """The sentences it has said since this was last asked."""
        said = [line.removeprefix(_NOTE) for line in self._lines() if line.startswith(_NOTE)]
        new, self._told_notes = said[self._told_notes :], len(said)
        return tuple(new)

    def stop(self) -> None:
        """Ask it to leave a checkpoint and end; asking twice is asking once."""
        if self._asked_at is None:
            self._asked_at = time.monotonic()
            self._process.terminate()

    def end(self) -> None:
        """Have it ended, whatever it was doing."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def failure(self) -> TrainingFailure | None:
        """Why it has ended; None when it has done its work."""
        code = self._process.wait()
        if self._fault is not None:
            return TrainingFailure(f"the training hung: {self._fault}", is_transient=True)
        if code == 0:
            return None
        said = [line for line in self._lines() if line.startswith(_ERROR)]
        if said and code > 0:
            # the next host would say the same, unless another one was to blame
            reason = said[-1].removeprefix(_ERROR)
            return TrainingFailure(reason, self.is_left_alone, code)
        if code < 0:
            reason = f"the training process was killed by signal {-code}"
            more = ", as for want of memory" if code == -9 else ""
            return TrainingFailure(reason + more, is_transient=True)
        words = " ".join(self._lines()[-3:])[-_LAST_WORDS:]
        return TrainingFailure(
            f"the training process ended with {code}: {words or 'it said nothing'}",
            is_transient=True,
        )

    def _kill(self, fault: str) -> None:
        self._fault = fault
        self._process.kill()

    def _lines(self) -> list[str]:
        return self._log.read_text("utf-8", errors="replace").splitlines()


class _Tail:
    """Reads the lines that are added to a file of steps."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def read(self) -> Iterator[TrainingStep]:
        """The whole lines behind those of last time."""
        try:
            with self._path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._position:
                    # a process that was started again cut off half a line
                    self._position = 0
                file.seek(self._position)
                content = file.read()
        except FileNotFoundError:
            return
        whole = content[: content.rfind(b"\n") + 1]
        self._position += len(whole)
        for line in whole.splitlines():
            try:
                yield decoder(TrainingStep).decode(line)
            except msgspec.MsgspecError:
                # torn by a power cut; its step is told again
                continue

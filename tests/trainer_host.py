"""Runs training jobs in forks of one process, which has imported torch and TRL once.

Its standard input has a line for each job: the job's file. For each it answers `PID` when the child
has begun and `PID CODE` when it has ended; the child is the real process from `main` on.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Child:
    """One running job."""

    pid: int
    host: subprocess.Popen[str]

    def wait(self) -> int:
        """Its exit code; negative is the signal that killed it."""
        assert self.host.stdout is not None
        pid, code = self.host.stdout.readline().split()
        assert int(pid) == self.pid
        return int(code)


class TrainerHost:
    """The process that forks."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, job: Path) -> Child:
        """Begin a job; one at a time. What it says goes to `job.err`, beside the job's file."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{job}\n")
        self._process.stdin.flush()
        return Child(int(self._process.stdout.readline()), self._process)

    def run(self, job: Path) -> int:
        """Do a job and return its exit code."""
        return self.start(job).wait()


@contextmanager
def trainer_host() -> Iterator[TrainerHost]:
    """A host on one thread, as every trainer of the tests."""
    with subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        yield TrainerHost(process)
        assert process.stdin is not None
        process.stdin.close()


def _serve() -> None:
    from crucible_workers.trainer.__main__ import main

    importlib.import_module("crucible_workers.trainer.training")
    importlib.import_module("crucible_workers.trainer.failures")
    # what is made when a trainer is, and would be made in each fork
    importlib.import_module("torch._dynamo")
    for line in sys.stdin:
        job = Path(line.strip())
        pid = os.fork()
        if pid == 0:
            with job.with_suffix(".err").open("w") as errors:
                os.dup2(errors.fileno(), 2)
                os.dup2(2, 1)
                code = 1
                try:
                    code = main([str(job)])
                except SystemExit as ended:
                    code = int(ended.code or 0)
                finally:
                    sys.stderr.flush()
                    os._exit(code)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(pid, os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    _serve()

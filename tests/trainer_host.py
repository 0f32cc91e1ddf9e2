"""Runs training jobs in forks of one process, which has imported torch and TRL once.

Each of those imports costs ten seconds, a tiny training two. A fork is the real process from `main`
on. The host reads commands from its standard input, one JSON object a line, and answers each with
one line.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crucible_workers.gang_member import Membership

_PR_SET_PDEATHSIG = 1

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000

#: of a fork that was not allowed to mount its small disk
NO_DISK = 77


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A disk of its own for one directory of a fork."""

    directory: Path
    kibibytes: int


@dataclass(frozen=True, slots=True)
class Place:
    """A host of a gang: its address, and the network namespace where it has that."""

    address: str
    namespace: str | None = None


class TrainerHost:
    """The process that forks."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(
        self,
        job: Path,
        disk: SmallDisk | None = None,
        place: Place | None = None,
        gang: tuple[int, int, str, int] | None = None,
    ) -> int:
        """Begin a job and return its process; what it says goes to job.err.

        `gang` are rank, hosts, address and port of its Membership.
        """
        mount = [str(disk.directory), disk.kibibytes] if disk else None
        where = place.namespace if place else None
        return int(self._ask(start=str(job), disk=mount, namespace=where, gang=gang))

    def wait(self, pid: int) -> int:
        """Its exit code; negative is the signal that killed it."""
        return int(self._ask(wait=pid))

    def run(self, job: Path, disk: SmallDisk | None = None) -> int:
        """Do a job and return its exit code."""
        return self.wait(self.start(job, disk=disk))

    def call(self, function: str, *words: object) -> Any:
        """What a function of trainer_checks.py returns, called in a fork."""
        return self._ask(call=function, words=words)

    def _ask(self, **command: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


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
        try:
            yield TrainerHost(process)
        finally:
            # it may be waiting for a fork that waits for another; they die with it
            process.kill()


def _serve() -> None:
    import trainer_checks
    from crucible_workers.trainer.__main__ import main

    for line in sys.stdin:
        command = json.loads(line)
        if "wait" in command:
            _, status = os.waitpid(command["wait"], 0)
            _answer(os.waitstatus_to_exitcode(status))
        elif "call" in command:
            _answer(_called(getattr(trainer_checks, command["call"]), command["words"]))
        else:
            pid = os.fork()
            if pid == 0:
                _become(command, main)
            _answer(pid)


def _become(command: dict[str, Any], main: Any) -> None:
    code = 1
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        with Path(command["start"]).with_suffix(".err").open("w") as errors:
            os.dup2(errors.fileno(), 2)
        os.dup2(2, 1)
        if command["namespace"]:
            _enter(command["namespace"])
        if command["gang"]:
            os.environ.update(Membership(*command["gang"]).environment(0))
        if command["disk"]:
            _mount(*command["disk"])
        code = main([command["start"]])
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:  # noqa: BLE001 -- a fork must not go on as the host
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _called(function: Any, words: list[Any]) -> Any:
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(receive)
        try:
            with os.fdopen(send, "w") as answer:
                json.dump(function(*words), answer)
        finally:
            os._exit(0)
    os.close(send)
    with os.fdopen(receive) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return json.loads(text)


def _enter(namespace: str) -> None:
    """Be on another host, as far as the network goes."""
    with Path("/run/netns", namespace).open() as file:
        assert ctypes.CDLL(None).setns(file.fileno(), 0) == 0


def _mount(directory: str, kibibytes: int) -> None:
    """A disk nobody else sees, of this size."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWNS | _CLONE_NEWUSER):
        sys.exit(NO_DISK)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    Path(directory).mkdir(parents=True, exist_ok=True)
    size = f"size={kibibytes}k".encode()
    if libc.mount(b"none", directory.encode(), b"tmpfs", 0, size):
        sys.exit(NO_DISK)


def _answer(value: object) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    _serve()

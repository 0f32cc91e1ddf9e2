"""The host's side of a prison: start it, talk to it, end it."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crucible_infra import settings
from crucible_infra.errors import SandboxBroken, SandboxUnavailable
from crucible_workers.sandbox.cgroups import Cgroup, open_cgroup, tree_bytes
from crucible_workers.sandbox.containers import Container, find_engine, start_container
from crucible_workers.sandbox.prison.frames import ChannelClosed, receive_message, send_message
from crucible_workers.sandbox.prison.line import KILLED_WAITING, Report
from crucible_workers.sandbox.prison.zygote import SIGNAL_STATUS
from crucible_workers.sandbox.runtime import Runtime, find_runtime

#: the user inside, when only one can be mapped
_ONLY_USER = 1000
#: host users of root's prisons: far from real ones, two for each prison
_FIRST_USER = 0x70000000
_USERS_PER_PROCESS = 4096
#: two for Python, three for JavaScript, two for repositories and one to survey them
_PRISONS_PER_SLOT = 8
#: opening a prison takes about 0.1 s; a loaded host may take a hundred times that
_OPEN_TIMEOUT_SECONDS = 30
#: of everything in a prison together, where a cgroup can be had; each program has its own limits
_MEMORY_MIB = 8192
_MOST_PROCESSES = 1024
#: between the end of a prison's channel and the end of its outer process
_DYING_SECONDS = 1.0
_BOOTSTRAP = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from prison.zygote import main; main(int(sys.argv[2]))"
)
_ENVIRONMENT = {
    "HOME": "/tmp",  # noqa: S108 -- the prison's own
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    # one program, one core: numpy would start a thread per core and fork badly
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # else every child looks up again, and writes down, where the libraries' functions are
    "LD_BIND_NOW": "1",
}
_ALTERNATIVES = (
    "run an evaluation worker on a Linux host or VM with kernel 5.12 or newer, allow "
    "unprivileged user namespaces, or set CRUCIBLE_SANDBOX=process to run "
    "model-written code WITHOUT isolation"
)


class PrisonKilled(SandboxBroken):
    """Somebody killed a prison: the judging is void, and no fault of the program."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Which prison of which slot: unique in this process, on the slot's core."""

    slot: int
    #: from 0 to 7
    place: int

    @property
    def number(self) -> int:
        """From 0 on."""
        return self.slot * _PRISONS_PER_SLOT + self.place

    @property
    def core(self) -> int:
        """The slot's: its processes take turns, and waking one elsewhere costs far more."""
        cores = sorted(os.sched_getaffinity(0))
        return cores[self.slot % len(cores)]


class Prison:
    """One warm parent behind its walls."""

    def __init__(
        self,
        role: str,
        cell: Cell,
        backend: str,
        line: Sequence[socket.socket],
        runtime: Runtime | None = None,
    ) -> None:
        if sys.platform != "linux":
            raise SandboxUnavailable(
                f"the sandbox needs Linux's namespaces, and this is {sys.platform}",
                hint="run crucible in a Linux VM or container, or let a Linux worker evaluate",
            )
        self._runtime = runtime or find_runtime()
        self._environment = {**_ENVIRONMENT, "PYTHONHASHSEED": self._runtime.hash_seed}
        self._directory = tempfile.TemporaryDirectory() if backend == "process" else None
        self._container: Container | None = None
        self._cgroup: Cgroup | None = None
        try:
            self._start(role, cell, backend)
            self._bound_waiting(_OPEN_TIMEOUT_SECONDS)
            config = self._config(role, cell, backend)
            send_message(self.control, config, [end.fileno() for end in line])
            self._open(config)
        except (ChannelClosed, TimeoutError, OSError) as error:
            was_killed = self.was_killed()
            self.close()
            if was_killed:
                raise PrisonKilled("a prison was killed while it opened") from error
            raise SandboxUnavailable(
                "the sandbox does not start on this host", hint=_ALTERNATIVES
            ) from error
        self._bound_waiting(0)

    def _start(self, role: str, cell: Cell, backend: str) -> None:
        if backend == "container":
            conf = settings.current()
            names = (conf.container_engine, conf.container_runtime, conf.container_image)
            self._container = start_container(find_engine(*names), self._runtime, self._environment)
            self.control, self._process = self._container.control, self._container.process
            return
        self.control, theirs = socket.socketpair()
        with theirs:
            self._process = self._spawn(theirs)
        name = f"{role}-{cell.number}"
        self._cgroup = open_cgroup(name, tree_bytes(_MEMORY_MIB), _MOST_PROCESSES)
        if self._cgroup is not None:
            self._cgroup.add(self._process.pid)

    def _bound_waiting(self, seconds: int) -> None:
        # not settimeout, which would make the descriptor non-blocking for plain reads
        timeout = struct.pack("ll", seconds, 0)
        self.control.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)

    def _spawn(self, control: socket.socket) -> subprocess.Popen[bytes]:
        folder = str(Path(__file__).parent)
        flags = ("-s", "-S", "-P", "-B", "-X", "utf8")
        arguments = (folder, str(control.fileno()))
        return subprocess.Popen(  # noqa: S603 -- our own interpreter and code
            [self._runtime.executable, *flags, "-c", _BOOTSTRAP, *arguments],
            env=self._environment,
            pass_fds=[control.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # a zygote's traceback is for whoever debugs it; its reasons come over the channel
            stderr=None if settings.current().is_debugging else subprocess.DEVNULL,
            start_new_session=True,
        )

    def _config(self, role: str, cell: Cell, backend: str) -> dict[str, Any]:
        outside = _FIRST_USER + (os.getpid() & 0xFFFF) * _USERS_PER_PROCESS + 2 * cell.number
        # root of a rootless container has no other users to give
        is_root = os.geteuid() == 0 and _is_mapped(outside)
        return {
            "role": role,
            "core": cell.core,
            "backend": backend,
            "outside": outside if is_root or backend == "container" else None,
            "user": os.geteuid(),
            "group": os.getegid(),
            "inside": _ONLY_USER,
            "program_user": 1 if is_root else _ONLY_USER,
            "binds": self._runtime.binds,
            "masks": self._runtime.masks,
            "path": self._path(backend),
            "directory": self._directory.name if self._directory else "",
        }

    def _path(self, backend: str) -> Sequence[str]:
        if backend == "process":
            return _host_path(self._runtime)
        if backend == "container" and settings.current().container_image:
            # the image's own Python knows its own
            return []
        return self._runtime.path

    def _open(self, config: dict[str, Any]) -> None:
        while True:
            message, _ = receive_message(self.control)
            if "map" in message:
                # two users, so that a program is another user than its zygote
                for kind in ("uid_map", "gid_map"):
                    path = Path(f"/proc/{message['map']}/{kind}")
                    path.write_text(f"0 {config['outside']} 2")
                send_message(self.control, {"mapped": True})
            elif message["open"]:
                return
            elif not message["reason"]:
                # its outer process was killed
                raise ChannelClosed
            else:
                raise SandboxUnavailable(
                    f"the sandbox cannot be built on this host: {message['reason']}",
                    hint=_ALTERNATIVES,
                )

    @property
    def pid(self) -> int:
        """Of the outer process, on the host."""
        return self._process.pid

    def was_killed(self) -> bool:
        """Whether somebody else ended it, which no program in it can do behind walls."""
        process = getattr(self, "_process", None)
        if process is None:
            return False
        try:
            status = process.wait(timeout=_DYING_SECONDS)
        except subprocess.TimeoutExpired:
            return False
        return status in (-signal.SIGKILL, SIGNAL_STATUS + signal.SIGKILL)

    def close(self) -> None:
        """End the zygote and with it every process of the prison."""
        control = getattr(self, "control", None)
        if control is not None:
            control.close()
        process = getattr(self, "_process", None)
        if process is not None:
            try:
                process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                if self._container is not None:
                    self._container.remove()
                process.kill()
                process.wait()
        if self._cgroup is not None:
            self._cgroup.close()
        if self._directory is not None:
            self._directory.cleanup()


def checked(report: Report) -> Report:
    """The report of a program that ran. Raises SandboxBroken or PrisonKilled if none could."""
    if report.complaint == KILLED_WAITING:
        raise PrisonKilled(report.complaint)
    if report.complaint:
        raise SandboxBroken(f"a program could not be confined: {report.complaint}")
    return report


class ChallengeDriver:
    """One challenge's tests, loaded in the driver's prison."""

    def __init__(self, prison: Prison, message: dict[str, Any]) -> None:
        self.control, theirs = socket.socketpair()
        self._prison = prison
        try:
            send_message(prison.control, message, [theirs.fileno()])
            theirs.close()
            reply, _ = receive_message(self.control)
        except ChannelClosed:
            self.control.close()
            raise
        finally:
            theirs.close()
        self.problem: str | None = None if reply["loaded"] else reply["reason"]
        self.is_shared: bool = reply.get("is_shared", False)

    def was_killed(self) -> bool:
        """Whether somebody else ended its process, as the drivers' zygote saw it."""
        try:
            send_message(self._prison.control, {"ended": True})
            reply, _ = receive_message(self._prison.control)
        except ChannelClosed:
            return False
        return bool(reply["signal"] == signal.SIGKILL)

    def close(self) -> None:
        """Forget the tests; the process ends when it next listens, or with its prison."""
        self.control.close()


def _is_mapped(user: int) -> bool:
    lines = Path("/proc/self/uid_map").read_text().splitlines()
    ranges = (map(int, line.split()) for line in lines)
    return any(first <= user < first + count for first, _, count in ranges)


def _host_path(runtime: Runtime) -> list[str]:
    """`sys.path` without a root of our own: the packages lie where they are."""
    packages = {
        str(Path(source).parent) for source, target in runtime.binds if "/packages/" in target
    }
    return [*runtime.path[:2], *sorted(packages)]

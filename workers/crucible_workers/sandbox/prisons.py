"""The host's side of a prison: start it, talk to it, end it."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crucible_infra import settings
from crucible_infra.errors import SandboxBroken, SandboxUnavailable
from crucible_tasks.challenge import Limits
from crucible_workers.sandbox.prison.frames import ChannelClosed, receive_message, send_message
from crucible_workers.sandbox.runtime import Runtime, find_runtime

#: the user inside, when only one can be mapped
_ONLY_USER = 1000
#: host users of root's prisons: far from real ones, two for each prison
_FIRST_USER = 0x70000000
_USERS_PER_PROCESS = 256
#: opening a prison takes about 0.1 s; a loaded host may take a hundred times that
_OPEN_TIMEOUT_SECONDS = 30
_BOOTSTRAP = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from prison.zygote import main; main(int(sys.argv[2]))"
)
#: fixed, so that a program that walks a set of strings does the same every time
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "HOME": "/tmp",  # noqa: S108 -- the prison's own
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    # one program, one core: numpy would start a thread per core and fork badly
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
_ALTERNATIVES = (
    "run an evaluation worker on a Linux host or VM with kernel 5.12 or newer, allow "
    "unprivileged user namespaces, or set CRUCIBLE_SANDBOX=process to run "
    "model-written code WITHOUT isolation"
)


@dataclass(frozen=True, slots=True)
class Report:
    """How a program ended, as its zygote saw it."""

    #: "ended" by itself, "cpu" when it used its time, "stopped" by the host
    reason: str
    #: 0 or the number of the signal that killed it
    signal: int
    status: int
    cpu_seconds: float
    #: why the prison could not confine it; empty when it did
    complaint: str


class Prison:
    """One warm parent behind its walls."""

    def __init__(
        self, role: str, number: int, backend: str, runtime: Runtime | None = None
    ) -> None:
        if sys.platform != "linux":
            raise SandboxUnavailable(
                f"the sandbox needs Linux's namespaces, and this is {sys.platform}",
                hint="run crucible in a Linux VM or container, or let a Linux worker evaluate",
            )
        self._runtime = runtime or find_runtime()
        self._directory = tempfile.TemporaryDirectory() if backend == "process" else None
        self.control, theirs = socket.socketpair()
        self._bound_waiting(_OPEN_TIMEOUT_SECONDS)
        config = self._config(role, number, backend)
        try:
            self._process = self._start(theirs)
            send_message(self.control, config)
            self._open(config)
        except (ChannelClosed, TimeoutError, OSError) as error:
            self.close()
            raise SandboxUnavailable(
                "the sandbox does not start on this host", hint=_ALTERNATIVES
            ) from error
        finally:
            theirs.close()
        self._bound_waiting(0)

    def _bound_waiting(self, seconds: int) -> None:
        # not settimeout, which would make the descriptor non-blocking for plain reads
        timeout = struct.pack("ll", seconds, 0)
        self.control.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)

    def _start(self, control: socket.socket) -> subprocess.Popen[bytes]:
        folder = str(Path(__file__).parent)
        flags = ("-s", "-S", "-P", "-B", "-X", "utf8")
        arguments = (folder, str(control.fileno()))
        return subprocess.Popen(  # noqa: S603 -- our own interpreter and code
            [self._runtime.executable, *flags, "-c", _BOOTSTRAP, *arguments],
            env=_ENVIRONMENT,
            pass_fds=[control.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            # a zygote's traceback is for whoever debugs it; its reasons come over the channel
            stderr=None if settings.current().is_debugging else subprocess.DEVNULL,
            start_new_session=True,
        )

    def _config(self, role: str, number: int, backend: str) -> dict[str, Any]:
        outside = _FIRST_USER + (os.getpid() & 0xFFFF) * _USERS_PER_PROCESS + 2 * number
        # root of a rootless container has no other users to give
        is_root = os.geteuid() == 0 and _is_mapped(outside)
        return {
            "role": role,
            "backend": backend,
            "outside": outside if is_root else None,
            "user": os.geteuid(),
            "group": os.getegid(),
            "inside": _ONLY_USER,
            "program_user": 1 if is_root else _ONLY_USER,
            "binds": self._runtime.binds,
            "masks": self._runtime.masks,
            "path": self._runtime.path if backend != "process" else _host_path(self._runtime),
            "directory": self._directory.name if self._directory else "",
        }

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
            else:
                raise SandboxUnavailable(
                    f"the sandbox cannot be built on this host: {message['reason']}",
                    hint=_ALTERNATIVES,
                )

    def close(self) -> None:
        """End the zygote and with it every process of the prison."""
        self.control.close()
        process = getattr(self, "_process", None)
        if process is not None:
            try:
                process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._directory is not None:
            self._directory.cleanup()


class ChallengeDriver:
    """One challenge's tests, loaded in the driver's prison."""

    def __init__(self, prison: Prison, message: dict[str, Any]) -> None:
        self.control, theirs = socket.socketpair()
        try:
            send_message(prison.control, message, [theirs.fileno()])
            theirs.close()
            reply, _ = receive_message(self.control)
        except ChannelClosed as error:
            self.control.close()
            raise SandboxBroken("the driver's prison died while loading tests") from error
        finally:
            theirs.close()
        self.problem: str | None = None if reply["loaded"] else reply["reason"]
        self.names: list[str] = reply.get("names", [])
        self.classes: list[str] = reply.get("classes", [])
        self.is_shared: bool = reply.get("is_shared", False)

    def close(self) -> None:
        """Forget the tests and end every driver of this challenge."""
        self.control.close()


def _is_mapped(user: int) -> bool:
    lines = Path("/proc/self/uid_map").read_text().splitlines()
    ranges = (map(int, line.split()) for line in lines)
    return any(first <= user < first + count for first, _, count in ranges)


def spawn_message(style: str, source: str, limits: Limits, **details: Any) -> dict[str, Any]:
    """What a candidates' zygote is told about one program."""
    return {"style": style, "source": source, "limits": asdict(limits), **details}


def _host_path(runtime: Runtime) -> list[str]:
    """`sys.path` without a root of our own: the packages lie where they are."""
    packages = {
        str(Path(source).parent) for source, target in runtime.binds if "/packages/" in target
    }
    return [*runtime.path[:2], *sorted(packages)]

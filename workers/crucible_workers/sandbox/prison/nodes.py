"""The zygote of Node processes: starts one at a time, watches its CPU time, reports its end.

A Node process cannot be forked, so none is made from the zygote itself: a child gives up its
privileges and becomes Node. It may judge one program or many; the host says when to measure.
"""

from __future__ import annotations

import fcntl
import os
import resource
import select
import socket
from pathlib import Path
from typing import Any

from . import isolation, system_calls
from .box import Box
from .frames import receive_message, send_message
from .line import NO_CPU_LIMIT
from .watching import Ending, bury, cpu_time, nap_seconds

_COMPLAINT_BYTES = 1000
#: V8's code range, its threads' stacks and Node itself, beside what a program may use
_DATA_ROOM_MIB = 768
#: of the user, where programs are no users of their own
_MANY_PROCESSES = 100_000


def confine(config: dict[str, Any]) -> None:
    """Give up, for every child, what the zygote itself does not need either."""
    if config["backend"] != "process":
        isolation.confine_zygote()


def prepare() -> None:
    """Load nothing: Node brings what programs use."""


def serve(
    control: socket.socket,
    config: dict[str, Any],
    box: Box,
    line: list[int],  # noqa: ARG001 -- every role is served alike
) -> None:
    """Do what the host says, until it hangs up."""
    Keeper(control, config, box).serve()


class Keeper:
    """One Node process at a time."""

    def __init__(self, control: socket.socket, config: dict[str, Any], box: Box) -> None:
        self._control = control
        self._config = config
        self._box = box
        self._is_walled = config["backend"] != "process"
        #: a container ends the process with everything else in it
        self._has_namespaces = config["backend"] == "namespaces"
        self._own_namespace = os.pidfd_open(os.getpid()) if self._has_namespaces else -1
        #: descriptors for the next process; a message brings a few only
        self._kept: list[int] = []
        self._child = 0
        self._pidfd = -1
        #: CPU seconds at which the child is killed, of all it used since it began
        self._cpu_end = float("inf")
        self._cpu_begin = 0.0

    def serve(self) -> None:
        """Obey, watch, report."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        while True:
            left = self._cpu_end - cpu_time(self._child) if self._child else float("inf")
            if left <= 0:
                self._bury("cpu")
                continue
            if self._child:
                poll.register(self._pidfd, select.POLLIN)
            ready = {number for number, _ in poll.poll(_nap(left))}
            if self._child:
                poll.unregister(self._pidfd)
            if self._pidfd in ready:
                self._bury("ended")
            if self._control.fileno() in ready:
                self._obey(*receive_message(self._control))

    def _obey(self, message: dict[str, Any], descriptors: list[int]) -> None:
        self._kept += descriptors
        match message["do"]:
            case "start":
                self._start(message)
            case "watch":
                self._cpu_begin = 0.0 if message["from_start"] else cpu_time(self._child)
                self._cpu_end = self._cpu_begin + message["cpu_seconds"]
            # a process that has just ended was reported, and the host takes that for its answer
            case "look" if self._child:
                self._cpu_end = float("inf")
                self._report(Ending("running", 0, 0, cpu_time(self._child), NO_CPU_LIMIT))
            case "end" if self._child:
                self._bury("stopped")

    def _start(self, message: dict[str, Any]) -> None:
        self._box.resize(message["limits"]["file_mib"])
        if self._has_namespaces:
            isolation.join_pid_namespace(self._own_namespace)
            isolation.unshare(system_calls.CLONE_NEWPID, "a process namespace per program")
        complaints, complain = os.pipe2(os.O_CLOEXEC)
        child = isolation.fork()
        if child == 0:
            self._become_node(message, complain)
        for descriptor in (*self._kept, complain):
            os.close(descriptor)
        self._kept = []
        # the end of this pipe is the moment of exec
        complaint = os.read(complaints, _COMPLAINT_BYTES).decode()
        os.close(complaints)
        if complaint:
            os.waitpid(child, 0)
        else:
            self._child, self._pidfd = child, os.pidfd_open(child)
            self._cpu_begin, self._cpu_end = 0.0, float("inf")
        send_message(self._control, {"complaint": complaint})

    def _become_node(self, message: dict[str, Any], complain: int) -> None:
        try:
            # a session of its own, or `kill(0, …)` would reach the zygote
            os.setsid()
            os.chdir(self._box.directory)
            self._set_limits(message)
            if self._is_walled:
                isolation.drop_privileges(self._config["program_user"])
            # a change of user forgets it
            isolation.die_with_parent()
            for name, text in message["files"].items():
                Path(name).write_bytes(text.encode(errors="surrogatepass"))
            complain = _arrange(self._kept, complain)
            os.execve(message["command"][0], message["command"], message["environment"])
        except (system_calls.StepFailed, OSError, ValueError) as error:
            os.write(complain, f"{error}".encode())
        finally:
            os._exit(1)

    def _set_limits(self, message: dict[str, Any]) -> None:
        limits = message["limits"]
        processes = limits["processes"] if self._is_walled else _MANY_PROCESSES
        wanted = [
            # V8 reserves address space by the gigabyte, so it is what it writes to that counts
            (resource.RLIMIT_DATA, (limits["memory_mib"] + _DATA_ROOM_MIB) << 20),
            (resource.RLIMIT_NPROC, processes),
            (resource.RLIMIT_FSIZE, limits["file_mib"] << 20),
            (resource.RLIMIT_NOFILE, 256),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_MEMLOCK, 0),
            (resource.RLIMIT_MSGQUEUE, 0),
        ]
        if message["is_for_one"]:
            # the kernel's safety net, one whole second above the measured one
            wanted.append((resource.RLIMIT_CPU, int(limits["cpu_seconds"]) + 2))
        for kind, value in wanted:
            isolation.bound(kind, value)

    def _bury(self, reason: str) -> None:
        """Kill what is left of the process and report how it ended."""
        ending = bury(self._child, self._pidfd, reason, has_namespace=self._has_namespaces)
        self._child, self._pidfd, self._cpu_end = 0, -1, float("inf")
        self._box.clean()
        self._report(ending)

    def _report(self, ending: Ending) -> None:
        spent = max(ending.cpu_seconds - self._cpu_begin, 0.0)
        send_message(self._control, {"report": ["", *ending._replace(cpu_seconds=spent), ""]})


def _nap(left: float) -> float | None:
    """Milliseconds until the next look; None when nothing is measured."""
    if left == float("inf"):
        return None
    return 1000 * nap_seconds(left)


def _arrange(descriptors: list[int], complain: int) -> int:
    """Leave exactly these open, from 0 upward, and behind them the way to complain, until exec."""
    # first away from the low numbers, or one dup2 would close what the next one needs
    room = 2 * len(descriptors) + 2
    copies = [fcntl.fcntl(number, fcntl.F_DUPFD, room) for number in (*descriptors, complain)]
    for target, copy in enumerate(copies):
        os.dup2(copy, target)
    os.closerange(len(copies), 65536)
    os.set_inheritable(len(descriptors), False)
    return len(descriptors)

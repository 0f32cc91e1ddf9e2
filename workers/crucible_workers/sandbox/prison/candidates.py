"""The candidates' zygote: keeps one child waiting, watches it judge, and reports how it ended."""

from __future__ import annotations

import _sitebuiltins
import builtins
import contextlib
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
from typing import Any

from . import isolation, system_calls
from .box import Box
from .frames import ChannelClosed, receive_message, send_message
from .line import ANY_ORDER, KILLED_WAITING, NO_CPU_LIMIT
from .programs import CHANNEL, run_programs
from .rehearsal import rehearse
from .watching import Ending, bury, cpu_time, nap_seconds

#: imported before the fork, so that no program pays for them
_PRELOADED = (
    "abc array bisect cmath collections contextlib copy dataclasses datetime decimal enum "
    "fractions functools hashlib heapq io itertools json math operator queue random re "
    "statistics string textwrap threading time types typing"
).split()
#: children that die before they get a program, one after the other, until the prison gives up
_MOST_FAILURES = 20
_NOTE_BYTES = 1000
_COMPLAINT = "!"


def confine(config: dict[str, Any]) -> None:
    """Give up, for every child, what the zygote itself does not need either."""
    if config["backend"] != "process":
        isolation.confine_zygote()


def prepare() -> None:
    """Load what programs use, and give them what a script would find."""
    for name in _PRELOADED:
        __import__(name)
    for name in ("exit", "quit"):
        # the `site` module defines these, and it is left out with everybody's packages
        setattr(builtins, name, _sitebuiltins.Quitter(name, "the end of file"))
    rehearse()
    for stream in (sys.stdout, sys.stderr):
        # a lone surrogate that a program prints is no reason to fail it
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def serve(control: socket.socket, config: dict[str, Any], box: Box, line: list[int]) -> None:
    """One program after another, until the host hangs up."""
    message, _ = receive_message(control)
    _forget_ourselves()
    nursery = Nursery(config, box, line)
    while True:
        nursery.set_limits(message["limits"])
        _preload(message["modules"])
        # an order before this word would reach a child of the old limits
        send_message(control, {"ready": True})
        message = nursery.raise_children(control)


def _preload(modules: list[str]) -> None:
    """Import what takes a program a tenth of its CPU time."""
    new = [name for name in modules if name not in sys.modules]
    for name in new:
        # a host without it judges all the same: the program then says what it lacks
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    if new:
        gc.collect()
        gc.freeze()


class Nursery:
    """Children, one at a time: forked ahead of need, watched, reported."""

    def __init__(self, config: dict[str, Any], box: Box, line: list[int]) -> None:
        self._config = config
        self._box = box
        orders, self._reports = line
        self._orders = socket.socket(fileno=orders)
        self._is_walled = config["backend"] != "process"
        has_namespaces = config["backend"] == "namespaces"
        self._own_namespace = os.pidfd_open(os.getpid()) if has_namespaces else -1
        # a child's word before its program: the order it took, or why it could not be confined
        self._notes, self._note = os.pipe2(os.O_NONBLOCK)
        self._cpu_limit = 0.0
        self._limits: list[tuple[int, int]] = []
        self._failures = 0
        self._reported = ""
        #: of the last child, if it ended before it could say which order it had taken
        self._unnoted: Ending | None = None

    def set_limits(self, limits: dict[str, Any]) -> None:
        """Hold the next programs to these limits."""
        self._cpu_limit = limits["cpu_seconds"]
        if self._is_walled:
            self._box.resize(limits["file_mib"])
        # a process of our user is no program of ours in the backend without walls
        processes = limits["processes"] if self._is_walled else 100_000
        self._limits = isolation.limits_of(
            limits["cpu_seconds"], limits["memory_mib"], processes, limits["file_mib"]
        )

    def raise_children(self, control: socket.socket) -> dict[str, Any]:
        """Fork and watch children until the host has other limits for them."""
        while True:
            child = self._fork()
            message = self._raise_one(control, child)
            if message is not None:
                return message

    def _fork(self) -> int:
        if self._own_namespace >= 0:
            isolation.join_pid_namespace(self._own_namespace)
            isolation.unshare(system_calls.CLONE_NEWPID, "a process namespace per program")
        child = isolation.fork()
        if child == 0:
            self._live()
        return child

    def _raise_one(self, control: socket.socket, child: int) -> dict[str, Any] | None:
        """Watch one child to its end; the host's next message, if that ended it."""
        pidfd = os.pidfd_open(child)
        poll = select.poll()
        for descriptor in (control.fileno(), self._reports, pidfd):
            poll.register(descriptor, select.POLLIN)
        order, reason, message = "", "ended", None
        while True:
            left = self._cpu_limit - cpu_time(child)
            if left <= 0:
                reason = "cpu"
                break
            ready = {number for number, _ in poll.poll(nap_seconds(left) * 1000)}
            if pidfd in ready:
                break
            order = order or self._read_note()
            if control.fileno() in ready:
                message, _ = receive_message(control)
                reason = "stopped"
                break
            if self._reports in ready:
                order, is_done = self._hear(order)
                if is_done:
                    reason = "done"
                    break
        ending = bury(child, pidfd, reason, has_namespace=self._is_walled)
        order = order or self._read_note()
        has_limits = message is not None and "limits" in message
        # somebody killed a child that had just taken its order: its driver waits in vain
        self._report(order if order or has_limits or message is None else ANY_ORDER, ending)
        self._box.clean()
        return message if has_limits else None

    def _hear(self, order: str) -> tuple[str, bool]:
        """The program's order, and whether the driver asks for its end."""
        word = os.read(self._reports, _NOTE_BYTES).decode()
        if not word:
            raise ChannelClosed
        order = order or self._read_note()
        if word not in (order, self._reported):
            self._send([word, *self._end_with_order(), ""])
        return order, word == order

    def _end_with_order(self) -> Ending:
        """How a child ended that was killed with its order in its hands: by us, or by somebody."""
        ending = self._unnoted
        if ending is not None and ending.reason == "cpu":
            return ending
        return Ending("ended", signal.SIGKILL, 0, 0.0, NO_CPU_LIMIT)

    def _read_note(self) -> str:
        try:
            return os.read(self._notes, _NOTE_BYTES).decode()
        except BlockingIOError:
            return ""

    def _report(self, note: str, ending: Ending) -> None:
        """Report a program, or that none can be run here, which ends the zygote."""
        self._unnoted = None if note else ending
        if note and not note.startswith(_COMPLAINT):
            self._failures = 0
            self._send([note, *ending, ""])
        elif note:
            self._send(["", *ending, note.removeprefix(_COMPLAINT)])
            raise ChannelClosed
        elif ending.reason == "ended":
            # killed by somebody while it waited: there is no program to judge again
            self._failures += 1
            if self._failures > _MOST_FAILURES:
                self._send(["", *ending, KILLED_WAITING])
                raise ChannelClosed

    def _send(self, report: list[Any]) -> None:
        self._reported = report[0]
        try:
            os.write(self._reports, json.dumps(report).encode())
        except OSError as error:
            raise ChannelClosed from error

    def _live(self) -> None:
        """In the child: wait for a program behind the walls, run it, end."""
        status = 1
        try:
            if self._is_confined():
                status = self._take_order()
        except ChannelClosed:
            status = 0
        finally:
            os._exit(status)

    def _is_confined(self) -> bool:
        """Give up every privilege, or complain to the zygote."""
        try:
            # a session of its own, or `kill(0, …)` would reach the zygote
            os.setsid()
            if not self._is_walled:
                # elsewhere it ends with its process namespace
                isolation.die_with_parent()
            os.chdir(self._box.directory)
            for kind, value in self._limits:
                resource.setrlimit(kind, (value, value))
            if self._is_walled:
                isolation.drop_privileges(self._config["program_user"])
        except (system_calls.StepFailed, OSError, ValueError) as error:
            os.write(self._note, f"{_COMPLAINT}{error}".encode())
            return False
        return True

    def _take_order(self) -> int:
        try:
            order, descriptors, _, _ = socket.recv_fds(self._orders, _NOTE_BYTES, 4)
        except OSError:
            return 0
        if not order:
            return 0
        os.write(self._note, order)
        _arrange(descriptors)
        return run_programs()


def _arrange(descriptors: list[int]) -> None:
    """Leave exactly stdin, stdout, stderr and the channel open."""
    # the zygote's own three are /dev/null, and nothing it holds open is below the channel's number
    channel, stdout, *others = descriptors
    stderr, stdin = others or (stdout, 0)
    for target, source in ((1, stdout), (2, stderr), (0, stdin), (CHANNEL, channel)):
        os.dup2(source, target)
    os.closerange(CHANNEL + 1, 65536)


def _forget_ourselves() -> None:
    """A program that imports `prison` shall not find it; this hides nothing it could not guess.

    The zygote does so before it forks: looking through `sys.modules` costs a child 75 page faults.
    """
    for name in [name for name in sys.modules if name.partition(".")[0] == "prison"]:
        del sys.modules[name]
    sys.argv[:] = ["solution.py"]

"""The drivers' zygote: forks one process per challenge, which judges its programs.

A challenge's process runs the tests itself where they keep no state (`statefulness`), and in a fork
per program where they do.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import driver, isolation
from .box import Box
from .frames import receive_message, send_message
from .line import BATCH_SECONDS, NO_CPU_LIMIT, Line, Report
from .remote import Remains

#: room for the largest published tests and for the values they are given
_MEMORY_MIB = 8192
_VERDICT_BYTES = 1 << 16
_DYING_SECONDS = 0.5


def confine(config: dict[str, Any]) -> None:
    """Tests are no hostile code, but nothing they need takes a privilege either."""
    if config["backend"] != "process":
        # programs print to files in memory, which these processes make for them
        isolation.confine_zygote("memfd_create")
        isolation.drop_privileges(config["program_user"])
        # a change of user forgets it
        isolation.die_with_parent()
    # a candidate may return `range(10**11)` to a test that makes a list of it
    isolation.bound(resource.RLIMIT_AS, _MEMORY_MIB << 20)


def prepare() -> None:
    """Load nothing: each challenge's process loads what its tests import."""


def serve(
    control: socket.socket,
    config: dict[str, Any],  # noqa: ARG001 -- every role is served alike
    box: Box,
    line: list[int],
) -> None:
    """Fork one process per challenge; each serves its programs over a socket of its own."""
    os.chdir(box.directory)
    fork_for_each(control, lambda own, message: serve_one_challenge(own, message, line))


def fork_for_each(control: socket.socket, work: Callable[[socket.socket, Any], None]) -> None:
    """Fork one process per message, which brings its socket, in place of the one before."""
    children: set[int] = set()
    while True:
        message, descriptors = receive_message(control)
        if "ended" in message:
            send_message(control, {"signal": _ending(children)})
            continue
        _end(children)
        child = os.fork()
        if child == 0:
            control.close()
            try:
                work(socket.socket(fileno=descriptors[0]), message)
            finally:
                os._exit(0)
        children.add(child)
        os.close(descriptors[0])


def _ending(children: set[int]) -> int:
    """The signal that ended the last challenge's process; 0 for none, or while it lives."""
    for child in list(children):
        # its channel closes before it can be waited for
        deadline = time.monotonic() + _DYING_SECONDS
        ended, status = os.waitpid(child, os.WNOHANG)
        while not ended and time.monotonic() < deadline:
            time.sleep(0.01)
            ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            children.discard(child)
            return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return 0


def _end(children: set[int]) -> None:
    """Kill the processes of the last challenge, stuck or not."""
    for child in children:
        for send in (os.killpg, os.kill):
            try:
                send(child, signal.SIGKILL)
            except ProcessLookupError:
                continue
        os.waitpid(child, 0)
    children.clear()
    # their own children have come to us, the first process of this namespace
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue


def serve_one_challenge(
    control: socket.socket,
    message: dict[str, Any],
    line: list[int],
    load: Callable[[dict[str, Any]], driver.Tests] = driver.load,
) -> None:
    """Load a challenge's tests, then judge one batch of programs after the other."""
    os.setsid()
    isolation.die_with_parent()
    quiet = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(quiet, number)
    try:
        tests = load(message)
    except driver.UnusableTests as error:
        send_message(control, {"loaded": False, "reason": str(error)})
        return
    send_message(control, {"loaded": True, "is_shared": tests.is_shared})
    gc.collect()
    gc.freeze()
    bench = Bench(tests, Line(*(socket.socket(fileno=number) for number in line)))
    while True:
        batch, _ = receive_message(control)
        send_message(control, bench.judge_batch(batch["programs"]))


class Child:
    """A candidate at work, seen from its driver: the channel and what it prints into."""

    def __init__(self, line: Line) -> None:
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._output = os.memfd_create("output")
        with theirs:
            line.order((theirs.fileno(), self._output))
        self.channel = ours.fileno()

    def take_written(self) -> int:
        """Bytes of output since the last time."""
        written = os.fstat(self._output).st_size
        if written:
            # the child writes by the same open file, so it goes on at the beginning
            os.lseek(self._output, 0, os.SEEK_SET)
            os.ftruncate(self._output, 0)
        return written

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
        os.close(self._output)


@dataclass(frozen=True)
class Judged:
    """What one judging found."""

    verdict: list[Any]
    report: Report
    #: bytes of output
    written: int
    #: of the child, where it may run another program
    remains: Remains | None

    @property
    def is_out_of_memory(self) -> bool:
        """Whether memory ran out, for which another program may be to blame."""
        return bool(self.verdict[0] == "out_of_memory")


class Bench:
    """Judges programs of one challenge, one after the other."""

    def __init__(self, tests: driver.Tests, line: Line) -> None:
        self._tests = tests
        self._line = line
        #: has run a plain program of this batch, and may run another
        self._kept: Child | None = None

    def judge_batch(self, programs: list[str]) -> list[list[Any]]:
        """Judge in order until the time is up or an end needs the host's eye.

        Each result is a verdict, the zygote's report, the bytes written and the seconds taken.
        """
        started = time.monotonic()
        results: list[list[Any]] = []
        for number, source in enumerate(programs, 1):
            begun = time.monotonic()
            judged = self._judge(source, keep=number < len(programs))
            now = time.monotonic()
            report = judged.report
            results.append([judged.verdict, [*vars(report).values()], judged.written, now - begun])
            # killed by the host's guard, or by nobody of ours
            is_ours = report.reason in ("done", "cpu") or report.signal != signal.SIGKILL
            if report.complaint or not is_ours or now - started > BATCH_SECONDS:
                break
        self._dismiss()
        return results

    def _judge(self, source: str, *, keep: bool) -> Judged:
        order = self._tests.order(source)
        while True:
            was_used = self._kept is not None
            judged = self._judge_once(order, keep=keep or was_used)
            # which may be for what an earlier program used
            is_unusual = judged.remains is None or judged.is_out_of_memory
            is_doubtful = was_used and is_unusual and judged.report.reason != "stopped"
            if is_doubtful or (judged.remains and judged.remains.is_worn):
                self._dismiss()
            if not is_doubtful and judged.verdict[0] != "void":
                return judged

    def _judge_once(self, order: bytes, *, keep: bool) -> Judged:
        child = self._kept or Child(self._line)
        verdict, remains = self._run_tests(child.channel, order, keep=keep)
        if remains is not None:
            self._kept = child
            report = Report("", "done", 0, 0, remains.cpu_seconds, NO_CPU_LIMIT, "")
            return Judged(verdict, report, child.take_written(), remains)
        # before the channel closes: a candidate killed in its sleep takes no more time
        report = self._line.end(is_dying=verdict[0] == "gone")
        written = child.take_written()
        child.close()
        self._kept = None
        return Judged(verdict, report, written, None)

    def _dismiss(self) -> None:
        if self._kept is not None:
            self._line.end()
            self._kept.close()
            self._kept = None

    def _run_tests(
        self, channel: int, order: bytes, *, keep: bool
    ) -> tuple[list[Any], Remains | None]:
        if not self._tests.keeps_state:
            return self._tests.judge(channel, order, keep=keep)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _write_verdict(writing, *self._tests.judge(channel, order, keep=keep))
        os.close(writing)
        said = os.read(reading, _VERDICT_BYTES)
        os.close(reading)
        _, status = os.waitpid(child, 0)
        if said:
            verdict, remains = json.loads(said)
            return verdict, remains and Remains(*remains)
        return ["died", os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0], None


def _write_verdict(descriptor: int, verdict: list[Any], remains: Remains | None) -> None:
    """Write the verdict and end; the write end of this pipe exists only in this process."""
    try:
        os.write(descriptor, json.dumps([verdict, remains]).encode())
    finally:
        os._exit(0)

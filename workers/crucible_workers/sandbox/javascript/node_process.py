"""One Node process behind the walls of its own prison, started again and again."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from crucible_infra.errors import SandboxBroken
from crucible_tasks.challenge import Limits
from crucible_workers.sandbox.guard import busy_seconds
from crucible_workers.sandbox.javascript.node import Node
from crucible_workers.sandbox.prison.frames import is_readable, receive_message, send_message
from crucible_workers.sandbox.prison.line import Report
from crucible_workers.sandbox.prisons import Prison

#: descriptors that one message may bring
_MOST_DESCRIPTORS = 4
_TAIL_BYTES = 1 << 16
#: what V8 and the C library say when memory runs out, each before it ends the process
_MEMORY = re.compile(rb"heap out of memory|Allocation failed|process out of memory|bad_alloc")
_COMPLAINT = re.compile(r"^(?:Uncaught )?(\w*Error\b.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Launch:
    """What a process is made of."""

    #: one of our scripts; one of `files` where there are any
    script: str
    limits: Limits
    arguments: Sequence[str] = ()
    #: descriptors from 3 upward
    channels: Sequence[int] = ()
    #: empty when None
    stdin: int | None = None
    #: written before it starts, by name
    files: dict[str, str] = field(default_factory=dict)
    #: whether the CPU limit holds from its start
    is_for_one: bool = True
    #: of Node itself, beside those of every process
    flags: Sequence[str] = ()


class NodeProcess:
    """The host's side of it."""

    def __init__(self, prison: Prison, node: Node) -> None:
        self._prison = prison
        self._node = node
        self.control = prison.control
        self.is_running = False
        #: those it was started with
        self.limits = Limits()
        self._output = self._errors = -1
        self._written_before = 0
        self._busy_before = 0.0

    def start(self, launch: Launch) -> None:
        """Start one of our scripts, or one of the files. Raises SandboxBroken."""
        self._open_output()
        limits = launch.limits
        flags = (f"--max-old-space-size={limits.memory_mib}", "--no-warnings", *launch.flags)
        message = {
            "do": "start",
            "command": self._node.command(
                launch.script, *launch.arguments, flags=flags, is_ours=not launch.files
            ),
            "environment": self._node.environment(),
            "limits": asdict(limits),
            "files": launch.files,
            "is_for_one": launch.is_for_one,
        }
        with open(os.devnull, "rb") as idle:  # noqa: PTH123 -- a device
            stdin = idle.fileno() if launch.stdin is None else launch.stdin
            self._send_with(message, [stdin, self._output, self._errors, *launch.channels])
        reply, _ = receive_message(self.control)
        if reply["complaint"]:
            raise SandboxBroken(f"a program could not be confined: {reply['complaint']}")
        self.limits, self.is_running = limits, True

    def _send_with(self, message: dict[str, Any], descriptors: list[int]) -> None:
        while len(descriptors) > _MOST_DESCRIPTORS:
            send_message(self.control, {"do": "keep"}, descriptors[:_MOST_DESCRIPTORS])
            descriptors = descriptors[_MOST_DESCRIPTORS:]
        send_message(self.control, message, descriptors)

    def script_url(self, name: str) -> str:
        """Where one of our scripts is, as its process sees it."""
        return f"file://{self._node.scripts}/{name}"

    def watch(self, cpu_seconds: float, *, from_start: bool) -> None:
        """Let it use that much CPU time from now on, or from its own start."""
        self._written_before = 0 if from_start else self._size()
        self._busy_before = 0.0 if from_start else busy_seconds(self._prison.pid)
        message = {"do": "watch", "cpu_seconds": cpu_seconds, "from_start": from_start}
        send_message(self.control, message)

    def look(self) -> Report:
        """What it used since it is watched; it goes on, unless it has just ended."""
        send_message(self.control, {"do": "look"})
        return self.report()

    def stop(self) -> Report:
        """End it, if it has not ended by itself."""
        if not self.is_running:
            return Report("", "stopped", 0, 0, 0.0, 0.0, "")
        send_message(self.control, {"do": "end"})
        return self.report()

    def last_words(self, seconds: float) -> Report:
        """How it ended; it is given a moment to do so by itself."""
        is_over = self.speaks_before(time.monotonic() + seconds)
        return self.report() if is_over else self.stop()

    def report(self) -> Report:
        """The next report. Raises ChannelClosed when its zygote is gone."""
        message, _ = receive_message(self.control)
        report = Report(*message["report"])
        self.is_running = self.is_running and report.reason == "running"
        return report

    def speaks_before(self, deadline: float) -> bool:
        """Whether a report comes before that time on the monotonic clock."""
        return is_readable(self.control, deadline - time.monotonic())

    def busy_seconds(self) -> float:
        """CPU time used and waited for since it is watched; see `guard.busy_seconds`."""
        return busy_seconds(self._prison.pid) - self._busy_before

    def written(self) -> int:
        """Bytes of output since it is watched."""
        return self._size() - self._written_before

    def explained(self, report: Report) -> list[str] | None:
        """What its last words say about its end; None when they say nothing."""
        if report.reason != "ended":
            return None
        tail = self.errors(_TAIL_BYTES)
        if report.signal and _MEMORY.search(tail):
            return ["out_of_memory", "used up its memory"]
        found = _COMPLAINT.findall(tail.decode(errors="replace"))
        if report.status and found:
            return ["error", f"ended with an uncaught {found[-1]}"]
        return None

    def output(self, limit: int) -> bytes:
        """The first bytes of standard output."""
        return os.pread(self._output, limit, 0)

    def errors(self, limit: int) -> bytes:
        """The last bytes of standard error."""
        size = os.fstat(self._errors).st_size
        return os.pread(self._errors, limit, max(size - limit, 0))

    def was_killed(self) -> bool:
        """Whether somebody else ended its prison."""
        return self._prison.was_killed()

    def close(self) -> None:
        """End the prison."""
        self.is_running = False
        self._close_output()
        self._prison.close()

    def _open_output(self) -> None:
        self._close_output()
        self._output = os.memfd_create("output")
        self._errors = os.memfd_create("errors")
        self._written_before = 0

    def _close_output(self) -> None:
        if self._output >= 0:
            os.close(self._output)
            os.close(self._errors)
        self._output = self._errors = -1

    def _size(self) -> int:
        return os.fstat(self._output).st_size + os.fstat(self._errors).st_size

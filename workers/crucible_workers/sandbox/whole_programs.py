"""Programs that run as a whole: answers on standard output, and tests beside the program."""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Self

import msgspec

from crucible_tasks.challenge import Challenge, Limits, StdioCase, StdioTests
from crucible_tasks.verdict import Mode
from crucible_workers.sandbox.deaths import Finding, Judging, Printed, conclude
from crucible_workers.sandbox.guard import WallGuard, wait_unless_idle
from crucible_workers.sandbox.prison.frames import (
    ChannelClosed,
    FrameLate,
    FrameTooLarge,
    is_readable,
    packed,
    receive_frame,
    send_packed,
)
from crucible_workers.sandbox.prison.line import Line, Report
from crucible_workers.sandbox.prison.requests import order_of
from crucible_workers.sandbox.prisons import checked
from crucible_workers.sandbox.stdio import judge_cases, output_verdict

_COMPLAINT_BYTES = 1 << 16


class WholePrograms:
    """Drives such programs from the host, over the slot's line."""

    def __init__(
        self,
        line: Line,
        guard: WallGuard,
        busy_seconds: Callable[[], float],
        stop: Callable[[], None],
    ) -> None:
        self._line = line
        self._guard = guard
        self._busy_seconds = busy_seconds
        self._stop = stop

    def judge_shared(self, challenge: Challenge, source: str, limits: Limits) -> Finding:
        """Tests beside the program: a nonce makes the pass, not its exit or its output.

        A program that searches the interpreter's frames finds the nonce; the mode says so.
        """
        started = time.monotonic()
        nonce = secrets.token_hex(16)
        tests = msgspec.to_builtins(challenge.tests)["source"]
        order = order_of("shared", source, tests=tests, nonce=nonce)
        with Descriptors() as keep:
            ours, theirs = keep(*_socket_pair())
            (output,) = keep(os.memfd_create("output"))
            self._line.order((theirs, output))
            keep.close(theirs)
            _send_order(ours, order)
            is_in_time = self._wait(ours, limits)
            # what arrived is read at once, or never
            deadline = time.monotonic() + 1.0 if is_in_time else time.monotonic()
            verdict = _shared_verdict(ours, nonce, deadline) if is_in_time else None
            report = self._end(verdict)
            written = os.fstat(output).st_size
        wall = time.monotonic() - started
        return conclude(Judging(verdict, report, written, wall, Mode.SHARED), limits)

    def judge_stdio(self, tests: StdioTests, source: str, limits: Limits) -> Finding:
        """Run the whole program once per case, each with the whole CPU limit."""

        def run(number: int, case: StdioCase) -> Finding:
            return self._run_case(number, case, source, limits)

        return judge_cases(tests, run)

    def _run_case(self, number: int, case: StdioCase, source: str, limits: Limits) -> Finding:
        started = time.monotonic()
        with Descriptors() as keep:
            given, output, errors = keep(*(os.memfd_create(name) for name in ("i", "o", "e")))
            os.write(given, case.stdin.encode(errors="surrogatepass"))
            os.lseek(given, 0, os.SEEK_SET)
            ours, theirs = keep(*_socket_pair())
            self._line.order((theirs, output, errors, given))
            keep.close(theirs)
            _send_order(ours, order_of("script", source))
            report = checked(self._line.report()) if self._wait(None, limits) else self._stopped()
            written = os.fstat(output).st_size + os.fstat(errors).st_size
            answer = _read_all(output, limits.output_mib << 20)
            complaint = _read_all(errors, _COMPLAINT_BYTES)
        said = complaint.decode(errors="replace")
        verdict = _script_verdict(number, report, answer, case.stdout, said)
        if verdict[0] != "passed" and written > limits.output_mib << 20:
            verdict = ["output_limit", f"printed more than {limits.output_mib} MiB"]
        judging = Judging(verdict, report, written, time.monotonic() - started)
        return replace(conclude(judging, limits), printed=Printed(answer, complaint))

    def _wait(self, channel: int | None, limits: Limits) -> bool:
        """Wait for a word on the channel or the program's end; False when the guard speaks."""

        def look(seconds: float) -> bool:
            if channel is None:
                return self._line.is_over(seconds)
            return is_readable(channel, seconds)

        return wait_unless_idle(look, self._guard.seconds(limits), self._busy_seconds)

    def _end(self, verdict: list[str] | None) -> Report:
        if verdict is None:
            return self._stopped()
        return checked(self._line.end(is_dying=verdict[0] == "gone"))

    def _stopped(self) -> Report:
        self._stop()
        return checked(self._line.report())


def _send_order(channel: int, order: bytes) -> None:
    try:
        send_packed(channel, packed(order))
    except ChannelClosed:
        # the program's end tells why
        return


def _script_verdict(
    number: int, report: Report, answer: bytes, expected: str, complaint: str
) -> list[str]:
    if report.reason != "ended" or report.signal:
        return ["gone", ""]
    if report.status:
        last = complaint.strip().splitlines()[-1:] or [f"exit status {report.status}"]
        kind = last[0].partition(":")[0]
        outcome = {"MemoryError": "out_of_memory"}.get(kind, "error")
        return ["syntax_error" if kind.endswith("SyntaxError") else outcome, last[0]]
    return output_verdict(number, answer, expected)


def _shared_verdict(channel: int, nonce: str, deadline: float) -> list[str] | None:
    try:
        message = json.loads(receive_frame(channel, deadline))
    except FrameLate:
        return None
    except (ChannelClosed, FrameTooLarge):
        return ["gone", ""]
    except ValueError:
        message = None
    match message:
        case ["finished", str(said)] if secrets.compare_digest(said.encode(), nonce.encode()):
            verdict = ["passed", ""]
        case ["failed", str(text)]:
            verdict = ["failed", text]
        case ["syntax", str(text)]:
            verdict = ["syntax_error", text]
        case ["raise", [_, list(kinds), str(text), *_], *_]:
            verdict = ["out_of_memory" if "MemoryError" in kinds else "error", text]
        case ["exit", str(text)]:
            verdict = ["error", text]
        case _:
            verdict = ["error", "wrote to its channel"]
    return verdict


def _read_all(descriptor: int, limit: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    chunks = []
    while limit > 0 and (chunk := os.read(descriptor, min(limit, 1 << 20))):
        chunks.append(chunk)
        limit -= len(chunk)
    return b"".join(chunks)


def _socket_pair() -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


class Descriptors:
    """File descriptors that are closed exactly once: another thread may get a freed number."""

    def __init__(self) -> None:
        self._open: set[int] = set()

    def __call__(self, *numbers: int) -> tuple[int, ...]:
        """Keep these until the end."""
        self._open.update(numbers)
        return numbers

    def close(self, *numbers: int) -> None:
        """Close these now."""
        for number in numbers:
            self._open.remove(number)
            os.close(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close(*self._open)

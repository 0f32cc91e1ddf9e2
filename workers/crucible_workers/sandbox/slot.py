"""A slot: one candidates' prison beside one driver's prison, judging one program at a time."""

from __future__ import annotations

import json
import os
import secrets
import select
import signal
import socket
import time
from dataclasses import dataclass, replace
from typing import Self

import msgspec

from crucible_infra.errors import SandboxBroken, UnusableTests
from crucible_tasks.challenge import Challenge, Limits, StdioTests
from crucible_tasks.verdict import Mode, Outcome, Verdict
from crucible_workers.sandbox.prison.frames import (
    ChannelClosed,
    FrameLate,
    FrameTooLarge,
    receive_frame,
    receive_message,
    send_message,
)
from crucible_workers.sandbox.prisons import ChallengeDriver, Prison, Report, spawn_message
from crucible_workers.sandbox.runtime import Runtime
from crucible_workers.sandbox.stdio import outputs_agree

#: between the end of a channel and the end of the process behind it
_DYING_SECONDS = 0.5
#: a verdict is a line; the driver's detail is cut long before
_VERDICT_BYTES = 1 << 16
_DETAIL_LIMIT = 300


@dataclass(frozen=True, slots=True)
class WallGuard:
    """How long a program may live that does not use its CPU time: only sleepers ever meet it."""

    least_seconds: float = 20.0
    #: times the CPU limit
    factor: float = 10.0

    def seconds(self, limits: Limits) -> float:
        """The guard for one program."""
        return max(self.least_seconds, self.factor * limits.cpu_seconds)


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict, and whether the wall guard made it."""

    verdict: Verdict
    is_wall_guard: bool = False


class Slot:
    """Two prisons and the challenge loaded in them."""

    def __init__(
        self, number: int, backend: str, runtime: Runtime, guard: WallGuard | None = None
    ) -> None:
        self._opening = (number, backend, runtime)
        self._guard = guard or WallGuard()
        self._candidates: Prison | None = None
        self._drivers: Prison | None = None
        self._challenge: Challenge | None = None
        self._driver: ChallengeDriver | None = None

    def open(self) -> None:
        """Open both prisons. Raises SandboxUnavailable."""
        number, backend, runtime = self._opening
        self._candidates = Prison("candidate", 2 * number, backend, runtime)
        self._drivers = Prison("driver", 2 * number + 1, backend, runtime)

    def close(self) -> None:
        """End both prisons and everything in them."""
        self._forget_challenge()
        for prison in (self._candidates, self._drivers):
            if prison is not None:
                prison.close()
        self._candidates = self._drivers = None

    def judge(self, challenge: Challenge, source: str, limits: Limits) -> Finding:
        """Judge one program. Raises UnusableTests, SandboxBroken or SandboxUnavailable."""
        if self._candidates is None or self._drivers is None:
            self.open()
        try:
            if isinstance(challenge.tests, StdioTests):
                return self._judge_stdio(challenge.tests, source, limits)
            driver = self._load(challenge)
            if driver.is_shared:
                return self._judge_shared(challenge, source, limits)
            return self._judge_split(driver, source, limits)
        except SandboxBroken:
            # else a dead prison would answer the next program too
            self.close()
            raise
        except (ChannelClosed, OSError) as error:
            self.close()
            raise SandboxBroken("a prison died while judging") from error

    def _load(self, challenge: Challenge) -> ChallengeDriver:
        if self._driver is None or self._challenge is not challenge:
            self._forget_challenge()
            message = {
                "prompt": challenge.prompt if challenge.prompt_is_code else "",
                "entry_point": challenge.entry_point,
                "tests": msgspec.to_builtins(challenge.tests),
            }
            assert self._drivers is not None
            self._driver = ChallengeDriver(self._drivers, message)
            self._challenge = challenge
        if self._driver.problem is not None:
            raise UnusableTests(f"the tests of {challenge.task_id}: {self._driver.problem}")
        return self._driver

    def _forget_challenge(self) -> None:
        if self._driver is not None:
            self._driver.close()
        self._driver = self._challenge = None

    def _judge_split(self, driver: ChallengeDriver, source: str, limits: Limits) -> Finding:
        assert self._candidates is not None
        started = time.monotonic()
        message = spawn_message("split", source, limits, names=driver.names, classes=driver.classes)
        with Descriptors() as keep:
            ours, theirs = keep(*_socket_pair())
            reading, writing = keep(*os.pipe())
            (output,) = keep(os.memfd_create("output"))
            send_message(self._candidates.control, message, [theirs, output])
            send_message(driver.control, {}, [ours, writing])
            # so that an end without a verdict can be read as the end of the pipe
            keep.close(ours, theirs, writing)
            verdict, report = self._wait(reading, limits)
            written = os.fstat(output).st_size
        wall = time.monotonic() - started
        return _conclude(verdict, report, written, limits, wall)

    def _wait(self, reading: int, limits: Limits) -> tuple[list[str] | None, Report]:
        """The driver's verdict, None when it made none, and the candidate's end."""
        assert self._candidates is not None
        control = self._candidates.control
        deadline = time.monotonic() + self._guard.seconds(limits)
        ready = _first_of((reading, control.fileno()), deadline)
        if ready == control.fileno():
            report = self._receive_report()
            # the channel is closed now, so the driver's next question ends it
            verdict = _read_verdict(reading, deadline)
        else:
            verdict = _read_verdict(reading, deadline) if ready is not None else None
            report = self._end_candidate(is_gone=verdict is not None and verdict[0] == "gone")
        if verdict is None:
            # a driver still busy would answer the next program's pipe too late
            self._forget_challenge()
        return verdict, report

    def _receive_report(self) -> Report:
        assert self._candidates is not None
        message, _ = receive_message(self._candidates.control)
        report = Report(**message)
        if report.complaint:
            raise SandboxBroken(f"a program could not be confined: {report.complaint}")
        return report

    def _judge_shared(self, challenge: Challenge, source: str, limits: Limits) -> Finding:
        """Tests beside the program: a nonce makes the pass, not its exit or its output.

        A program that searches the interpreter's frames finds the nonce; the mode says so.
        """
        assert self._candidates is not None
        started = time.monotonic()
        nonce = secrets.token_hex(16)
        tests = msgspec.to_builtins(challenge.tests)["source"]
        message = spawn_message("shared", source, limits, tests=tests, nonce=nonce, classes=[])
        with Descriptors() as keep:
            ours, theirs = keep(*_socket_pair())
            (output,) = keep(os.memfd_create("output"))
            send_message(self._candidates.control, message, [theirs, output])
            keep.close(theirs)
            deadline = time.monotonic() + self._guard.seconds(limits)
            is_in_time = _first_of((ours,), deadline) is not None
            verdict = _shared_verdict(ours, nonce, deadline) if is_in_time else None
            report = self._end_candidate(is_gone=verdict is not None and verdict[0] == "gone")
            written = os.fstat(output).st_size
        finding = _conclude(verdict, report, written, limits, time.monotonic() - started)
        return replace(finding, verdict=replace(finding.verdict, mode=Mode.SHARED))

    def _end_candidate(self, *, is_gone: bool) -> Report:
        """Stop the program; if it seems to be dying by itself, let it say of what."""
        assert self._candidates is not None
        control = self._candidates.control
        patience = time.monotonic() + (_DYING_SECONDS if is_gone else 0)
        if _first_of((control.fileno(),), patience) is None:
            # a zygote that has just reported ignores this
            send_message(control, {"stop": True})
        return self._receive_report()

    def _judge_stdio(self, tests: StdioTests, source: str, limits: Limits) -> Finding:
        """Run the whole program once per case, each with the whole CPU limit."""
        finding = Finding(Verdict(Outcome.PASSED))
        cpu = wall = 0.0
        for number, case in enumerate(tests.cases, start=1):
            finding = self._run_case(number, case.stdin, case.stdout, source, limits)
            cpu += finding.verdict.cpu_seconds
            wall += finding.verdict.wall_seconds
            if finding.verdict.outcome is not Outcome.PASSED:
                break
        verdict = replace(finding.verdict, cpu_seconds=cpu, wall_seconds=wall)
        return replace(finding, verdict=verdict)

    def _run_case(
        self, number: int, stdin: str, expected: str, source: str, limits: Limits
    ) -> Finding:
        assert self._candidates is not None
        started = time.monotonic()
        control = self._candidates.control
        with Descriptors() as keep:
            given, output, errors = keep(*(os.memfd_create(name) for name in ("i", "o", "e")))
            os.write(given, stdin.encode(errors="surrogatepass"))
            os.lseek(given, 0, os.SEEK_SET)
            (idle,) = keep(os.open("/dev/null", os.O_RDWR))
            message = spawn_message("script", source, limits, arguments=[])
            send_message(control, message, [idle, output, errors, given])
            deadline = started + self._guard.seconds(limits)
            if _first_of((control.fileno(),), deadline) is None:
                send_message(control, {"stop": True})
            report = self._receive_report()
            written = os.fstat(output).st_size + os.fstat(errors).st_size
            answer = _read_all(output, limits.output_mib << 20)
            complaint = _read_all(errors, 1 << 16).decode(errors="replace")
        verdict = None
        if report.reason != "stopped":
            verdict = _script_verdict(number, report, answer, expected, complaint)
        return _conclude(verdict, report, written, limits, time.monotonic() - started)


def _conclude(
    verdict: list[str] | None, report: Report, written: int, limits: Limits, wall: float
) -> Finding:
    outcome, detail = _decide(verdict, report, limits)
    if outcome not in (Outcome.PASSED, Outcome.TIMED_OUT) and written > limits.output_mib << 20:
        outcome, detail = Outcome.OUTPUT_LIMIT, f"printed more than {limits.output_mib} MiB"
    is_guard = report.reason == "stopped" and verdict is None
    if is_guard:
        detail = f"used {report.cpu_seconds:.1f} s of CPU time in {wall:.0f} s and did not end"
    return Finding(
        Verdict(outcome, detail[:_DETAIL_LIMIT], round(report.cpu_seconds, 6), round(wall, 6)),
        is_wall_guard=is_guard,
    )


def _decide(verdict: list[str] | None, report: Report, limits: Limits) -> tuple[Outcome, str]:
    if verdict is not None and verdict[0] == "passed" and report.cpu_seconds > limits.cpu_seconds:
        # its children's time, which only shows at the end, or the last look came late
        return Outcome.TIMED_OUT, f"used {report.cpu_seconds:.2f} s of CPU time with its children"
    if verdict is not None and verdict[0] != "gone":
        return Outcome(verdict[0]), verdict[1]
    if report.reason == "cpu" or report.signal == signal.SIGXCPU:
        return Outcome.TIMED_OUT, f"used its {limits.cpu_seconds:g} s of CPU time"
    if report.reason == "stopped" and verdict is None:
        return Outcome.TIMED_OUT, ""
    return _death(report)


def _death(report: Report) -> tuple[Outcome, str]:
    """What a program that ended by itself died of."""
    if report.signal == signal.SIGSYS:
        return Outcome.FORBIDDEN, "made a system call that programs may not make"
    if report.signal == signal.SIGKILL and report.reason == "ended":
        return Outcome.OUT_OF_MEMORY, "was killed, as the kernel does when memory runs out"
    if report.signal:
        return Outcome.ERROR, f"died of {signal.Signals(report.signal).name}"
    if report.reason == "ended":
        return Outcome.ERROR, f"ended itself with exit status {report.status}"
    return Outcome.ERROR, "closed its channel"


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
    if outputs_agree(answer.decode(errors="replace"), expected):
        return ["passed", ""]
    return ["failed", f"case {number}: wrong output {answer[:100].decode(errors='replace')!r}"]


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


def _read_verdict(reading: int, deadline: float) -> list[str] | None:
    """The driver's verdict; "gone" when it died, None when it is still busy at the deadline."""
    if _first_of((reading,), deadline) is None:
        return None
    body = os.read(reading, _VERDICT_BYTES)
    if not body:
        return ["out_of_memory", "the returned value broke its reader"]
    outcome, detail = json.loads(body)
    return [outcome, detail]


def _first_of(descriptors: tuple[int, ...], deadline: float) -> int | None:
    """The first of these that is readable, in their order; None at the deadline."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    ready = dict(poll.poll(max(deadline - time.monotonic(), 0) * 1000))
    return next((descriptor for descriptor in descriptors if descriptor in ready), None)


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

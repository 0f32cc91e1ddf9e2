"""What a judging found: the driver's word, how the program ended, and whether it may count."""

from __future__ import annotations

import enum
import signal
from dataclasses import dataclass
from typing import Any

from crucible_tasks.challenge import Limits
from crucible_tasks.verdict import Mode, Outcome, Verdict
from crucible_workers.sandbox.prison.line import Report

_DETAIL_LIMIT = 300
#: outcomes that a flood of output may have caused
_BROKEN_BY_OUTPUT = frozenset({Outcome.ERROR, Outcome.OUT_OF_MEMORY})


class Doubt(enum.Enum):
    """Why a verdict does not count yet."""

    #: the wall guard spoke: on a busy host that proves nothing
    WALL = "wall"
    #: somebody killed the program or what judged it, and nothing tells who
    KILLED = "killed"


@dataclass(frozen=True, slots=True)
class Judging:
    """What is known when one judging is over."""

    #: outcome and detail; None when the driver made none. "gone" is a program that ended itself,
    #: "died" a driver that did
    verdict: list[Any] | None
    report: Report
    #: bytes of output
    written: int
    wall_seconds: float
    mode: Mode = Mode.SPLIT
    #: whether the kernel killed something for memory meanwhile, on this host
    memory_ran_out: bool = False


@dataclass(frozen=True, slots=True)
class Printed:
    """What a whole program wrote, as far as it is looked at."""

    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict, and what speaks against counting it."""

    verdict: Verdict
    doubt: Doubt | None = None
    #: of whole programs that were run for their output
    printed: Printed | None = None


def conclude(judging: Judging, limits: Limits) -> Finding:
    """The verdict of one judging."""
    report = judging.report
    outcome, detail = _decide(judging, limits)
    if outcome in _BROKEN_BY_OUTPUT and judging.written > limits.output_mib << 20:
        outcome, detail = Outcome.OUTPUT_LIMIT, f"printed more than {limits.output_mib} MiB"
    doubt = _doubt(judging, limits)
    if doubt is Doubt.WALL:
        detail = (
            f"used {report.cpu_seconds:.1f} s of CPU time in {judging.wall_seconds:.0f} s "
            "and did not end"
        )
    verdict = Verdict(
        outcome,
        detail[:_DETAIL_LIMIT],
        round(report.cpu_seconds, 6),
        round(judging.wall_seconds, 6),
        judging.mode,
    )
    return Finding(verdict, doubt)


def _doubt(judging: Judging, limits: Limits) -> Doubt | None:
    report = judging.report
    # only the zygote, the kernel or an operator kills the first process of a namespace; what the
    # driver made of it is void, too
    is_foreign = report.reason == "ended" and report.signal == signal.SIGKILL
    if is_foreign:
        is_own = _used_its_time(report, limits) or judging.memory_ran_out
        return None if is_own else Doubt.KILLED
    if judging.verdict is not None and judging.verdict[0] == "died":
        is_killed = judging.verdict[1] == signal.SIGKILL
        return Doubt.KILLED if is_killed and not judging.memory_ran_out else None
    return Doubt.WALL if report.reason == "stopped" and not _has_verdict(judging) else None


def _has_verdict(judging: Judging) -> bool:
    return judging.verdict is not None and judging.verdict[0] not in ("gone", "died")


def _decide(judging: Judging, limits: Limits) -> tuple[Outcome, str]:
    verdict, report = judging.verdict, judging.report
    if _has_verdict(judging):
        assert verdict is not None
        if verdict[0] == "passed" and report.cpu_seconds > limits.cpu_seconds:
            # its children's time, which only shows at the end, or the last look came late
            detail = f"used {report.cpu_seconds:.2f} s of CPU time with its children"
            return Outcome.TIMED_OUT, detail
        return Outcome(verdict[0]), verdict[1]
    if verdict is not None and verdict[0] == "died":
        return Outcome.OUT_OF_MEMORY, "the returned value broke its reader"
    if report.reason == "cpu" or _used_its_time(report, limits):
        return Outcome.TIMED_OUT, f"used its {limits.cpu_seconds:g} s of CPU time"
    if report.reason == "stopped":
        return Outcome.TIMED_OUT, ""
    return _death(report)


def _used_its_time(report: Report, limits: Limits) -> bool:
    """Whether the kernel's CPU limit struck, ours or one that the program set itself."""
    if report.signal == signal.SIGXCPU:
        return True
    least = min(limits.cpu_seconds, report.cpu_limit)
    return report.signal == signal.SIGKILL and report.cpu_seconds >= least


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

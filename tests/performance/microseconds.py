"""Prints where each microsecond of one program's judging goes, beside the measured whole.

    python tests/performance/microseconds.py [--data DIRECTORY] [--answers 4]

Three measurements: the whole, by judging HumanEval in the sandbox; the programs' own work, by
compiling and running the same programs in this process; and each step of the kernel alone, in an
interpreter about as large as a prison's warm parent (`kernel_steps.py`). All in microseconds of CPU
time, because a neighbour's work lengthens those little. The sum says how much of the whole is
explained, step by step; what is left over is Python between the steps, and the pages it touches.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cpu_meter import minor_faults
from distinct_answers import distinct_answers, read_rows
from sandbox_throughput import DATA, FILES, SCRIPT, Contender

#: How often the engine takes each step for one program. To be kept in step with it; a step that the
#: warm parent takes once, so that programs inherit it, is 0.
TIMES: dict[str, float] = {
    # the candidate; its tests' process is forked once per challenge
    "fork, exit, wait (os.fork)": 0,
    "fork, exit, wait (bare clone)": 1,
    "new process namespace": 1,
    "new mount namespace": 0,
    "tmpfs mounted, torn down": 0,
    "killed instead of exit": 1,
    "drop 41 bounding capabilities": 0,
    "capset to none": 1,
    "8 rlimits": 1,
    "session of its own": 1,
    "close all descriptors": 1,
    "seccomp filter installed": 0,
    "seccomp filter inherited": 1,
}
#: messages to and from the warm parents, beside the calls: order, names, report
ROUND_TRIPS = 2
ROUND_TRIP = "round trip, socket, one core"


@dataclass(frozen=True, slots=True)
class Whole:
    """One program's judging in the sandbox, on average over the data set."""

    cpu_us: float
    wall_us: float
    faults: float


@dataclass(frozen=True, slots=True)
class Work:
    """What one program and its tests need in a plain interpreter, in microseconds."""

    compile_program: float
    run_definitions: float
    run_tests: float
    #: of the entry point, by the tests
    calls: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, help="where the data sets lie")
    parser.add_argument("--answers", type=int, default=4, help="a challenge")
    wish = parser.parse_args()
    path = wish.data / FILES["humaneval"]
    if not path.exists():
        print(f"there is no {path}: say with --data where the data sets lie", file=sys.stderr)
        sys.exit(2)
    steps = kernel_steps()
    work = [measure_work(row) for row in read_rows(path)]
    show(measure_whole(wish.data, wish.answers), work, steps)


def measure_whole(data: Path, answers: int) -> Whole:
    command = [sys.executable, str(SCRIPT), "ours", "humaneval", str(data), "1"]
    ours = Contender("ours", command, answers)
    ours.start()
    # opens the prisons
    ours.play(first=0)
    before = minor_faults(ours.pid)
    ours.play(first=answers)
    faults = minor_faults(ours.pid) - before
    ours.stop()
    found = ours.rounds[-1]
    return Whole(
        cpu_us=1e6 * found.cpu / found.programs,
        wall_us=1e6 * found.wall / found.programs,
        faults=faults / found.programs,
    )


def measure_work(row: dict[str, Any]) -> Work:
    """Compile and run one answer here, as often as a median needs."""
    test = compile(row["test"], "tests", "exec")
    program = row["prompt"] + distinct_answers(row, 0, 1)[0]
    code = compile(program, "program", "exec")
    scope: dict[str, Any] = {}
    exec(code, scope)
    exec(test, scope)
    entry_point = scope[row["entry_point"]]
    calls = 0

    def counted(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        return entry_point(*arguments)

    scope["check"](counted)
    return Work(
        compile_program=_median_us(lambda: compile(program, "program", "exec"), 5),
        run_definitions=_median_us(lambda: exec(code, {}), 5),
        run_tests=_median_us(lambda: scope["check"](entry_point), 3),
        calls=calls,
    )


def _median_us(action: Callable[[], object], repeats: int) -> float:
    seen = []
    for _ in range(repeats):
        began = time.thread_time()
        action()
        seen.append(time.thread_time() - began)
    return 1e6 * statistics.median(seen)


def kernel_steps() -> dict[str, float]:
    script = Path(__file__).with_name("kernel_steps.py")
    command = [sys.executable, "-I", "-S", str(script)]
    done = subprocess.run(command, input=_filter(), stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _filter() -> bytes:
    """The engine's seccomp program; nothing where it cannot be had."""
    try:
        from crucible_workers.sandbox.prison.system_calls import seccomp_filter
    except ImportError:
        print("the engine's seccomp filter was not found: its step is left out", file=sys.stderr)
        return b""
    return seccomp_filter()


def show(whole: Whole, work: list[Work], steps: dict[str, float]) -> None:
    calls = statistics.mean(one.calls for one in work)
    rows = [
        (f"compile the program ({_typical(work, 'compile_program')})", 1.0, "compile_program"),
        (f"run its definitions ({_typical(work, 'run_definitions')})", 1.0, "run_definitions"),
        (f"tests and calls ({_typical(work, 'run_tests')})", 1.0, "run_tests"),
    ]
    lines = [(name, times, _mean(work, field)) for name, times, field in rows]
    lines += [(name, times, steps[name]) for name, times in TIMES.items() if name in steps]
    lines.append((ROUND_TRIP, ROUND_TRIPS + calls, steps[ROUND_TRIP]))
    print(f"{'step':58} {'times':>6} {'us each':>9} {'us':>9}")
    for name, times, each in lines:
        print(f"{name:58} {times:6.1f} {each:9.1f} {times * each:9.1f}")
    total = sum(times * each for _, times, each in lines)
    print(f"{'sum':58} {'':6} {'':9} {total:9.1f}")
    print(f"{'measured: CPU of all processes':58} {'':6} {'':9} {whole.cpu_us:9.1f}")
    print(f"{'measured: wall, all cores judging':58} {'':6} {'':9} {whole.wall_us:9.1f}")
    print(f"{'not explained':58} {'':6} {'':9} {whole.cpu_us - total:9.1f}")
    _show_faults(whole, steps)
    print("steps that no program pays for, and what they would cost:")
    for name, each in steps.items():
        if not TIMES.get(name):
            print(f"    {name:54} {each:23.1f}")


def _show_faults(whole: Whole, steps: dict[str, float]) -> None:
    """Not a step of its own: every step above contains its faults."""
    cost = steps["page fault, copy of the parent's"]
    print(
        f"page faults: {whole.faults:.0f} a program x {cost:.1f} us = {whole.faults * cost:.0f} us"
        f" of the above; a bare fork's child has {steps['faults, bare fork']:.0f}"
    )


def _mean(work: list[Work], field: str) -> float:
    return float(statistics.mean(getattr(one, field) for one in work))


def _typical(work: list[Work], field: str) -> str:
    return f"median {statistics.median(getattr(one, field) for one in work):.0f}"


if __name__ == "__main__":
    main()

"""Prints programs per second of one `node` per program and of the sandbox, side by side.

    python tests/performance/javascript_throughput.py HUMANEVAL_X_JS.jsonl[.gz] [--answers 20]

Every canonical program of HumanEval-X, with N distinct answers each (a comment tells them apart),
judged one after the other: by `node FILE` on program and tests, and by one slot of the sandbox.
The rounds take turns, so that a busy host slows both alike. CPU time is that of all processes that
a side started; the ratio of it is the figure to trust on a busy host.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from crucible_tasks.challenge import Challenge, ScriptTests
from crucible_tasks.challenges import open_dataset
from crucible_tasks.verdict import Outcome
from crucible_workers.sandbox.javascript.node import find_node
from crucible_workers.sandbox.javascript.slot import NodeSlot
from crucible_workers.sandbox.runtime import find_runtime
from sandbox_probes import descendants

CHUNK = 20


@dataclass(slots=True)
class Side:
    """What one way of judging used."""

    name: str
    programs: int = 0
    passed: int = 0
    wall: float = 0.0
    cpu: float = 0.0

    def line(self) -> str:
        return (
            f"{self.name:22} {self.programs:6} programs {self.passed:6} passed "
            f"{self.programs / self.wall:8.1f}/s {1000 * self.cpu / self.programs:8.2f} ms "
            f"CPU each ({self.cpu:.1f} s)"
        )


def answers(challenge: Challenge, count: int) -> list[str]:
    return [f"{challenge.reference}\n// answer {number}\n" for number in range(count)]


def run_plainly(node: str, folder: Path, challenge: Challenge, program: str) -> bool:
    """As the publishers do: program and tests in one file, and its exit status."""
    assert isinstance(challenge.tests, ScriptTests)
    file = folder / "program.js"
    file.write_text(f"{program}\n{challenge.tests.source}")
    done = subprocess.run([node, str(file)], capture_output=True, cwd=folder, check=False)
    return done.returncode == 0


def own_cpu() -> float:
    """CPU seconds of this process and of the children it has waited for."""
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def living_cpu() -> float:
    """CPU seconds of what lives below this process, and of what that has waited for."""
    ticks = 0
    for process in descendants(os.getpid()):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def chunks(challenges: tuple[Challenge, ...]) -> Iterator[tuple[Challenge, ...]]:
    for start in range(0, len(challenges), CHUNK):
        yield challenges[start : start + CHUNK]


def measure(side: Side, judge: Callable[[], list[bool]], living: Callable[[], float]) -> None:
    began, cpu = time.perf_counter(), own_cpu() + living()
    found = judge()
    side.wall += time.perf_counter() - began
    side.cpu += own_cpu() + living() - cpu
    side.programs += len(found)
    side.passed += sum(found)


def with_sandbox(slot: NodeSlot, part: tuple[Challenge, ...], count: int) -> list[bool]:
    found = []
    for challenge in part:
        programs = answers(challenge, count)
        while programs:
            findings = slot.judge(challenge, programs, challenge.limits)
            found += [finding.verdict.outcome is Outcome.PASSED for finding in findings]
            programs = programs[len(findings) :]
    return found


def with_node(node: str, part: tuple[Challenge, ...], count: int) -> list[bool]:
    with tempfile.TemporaryDirectory() as folder:
        return [
            run_plainly(node, Path(folder), challenge, program)
            for challenge in part
            for program in answers(challenge, count)
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("--answers", type=int, default=20)
    parser.add_argument("--challenges", type=int, default=164)
    parser.add_argument("--backend", default="namespaces")
    given = parser.parse_args()
    node = find_node("process")
    dataset = open_dataset(given.dataset)
    challenges = dataset.challenges[: given.challenges]
    plain, ours = Side("one node per program"), Side("the sandbox")
    with closing(NodeSlot(0, given.backend, find_runtime())) as slot:
        for part in chunks(challenges):
            measure(
                plain,
                lambda part=part: with_node(node.executable, part, given.answers),
                lambda: 0.0,
            )
            measure(
                ours,
                lambda part=part: with_sandbox(slot, part, given.answers),
                living_cpu,
            )
    print(f"node {node.version}, {given.answers} answers per challenge, {given.backend}")
    print(plain.line(), ours.line(), sep="\n")
    wall = plain.wall / plain.programs * ours.programs / ours.wall
    cpu = plain.cpu / plain.programs * ours.programs / ours.cpu
    print(f"times as many programs per second: {wall:.1f}; per CPU second: {cpu:.1f}")


if __name__ == "__main__":
    sys.exit(main())

"""Judges the same answers on a quiet host and on a hopelessly busy one, and compares.

    python tests/performance/load_proof.py [--programs 3280] [--factor 8] [--cpu-seconds 1]

20 distinct answers to each HumanEval challenge: its own solution, small changes to it, endless
loops, and two that use 60 % of the CPU limit. First with one slot for each core, then with FACTOR
times as many and a busy neighbour process on every core. Exit status 1 when an outcome differs.
Takes about four CPU minutes a core.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from busy_neighbours import busy_neighbours
from crucible_tasks.challenge import Limits
from crucible_tasks.challenges import open_dataset
from load_answers import Answer, Judged, answers, cores, differences, judge_all

N = 20


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over all answers."""

    label: str
    judged: Judged
    seconds: float

    def show(self) -> None:
        outcomes = Counter(verdict.outcome for verdict in self.judged.verdicts)
        cpu = sum(verdict.cpu_seconds for verdict in self.judged.verdicts)
        print(f"{self.label}: {self.seconds:.0f} s, {cpu:.0f} s of CPU time in programs")
        print("   " + "  ".join(f"{name} {count}" for name, count in sorted(outcomes.items())))
        print(
            f"   wall at most {self.judged.stretch:.1f} times the CPU time; the wall guard spoke "
            f"{self.judged.guards} times; {self.judged.again} judged again"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Plain)
    parser.add_argument("--programs", type=int, default=3280)
    parser.add_argument("--factor", type=int, default=8, help="slots for each core")
    parser.add_argument("--cpu-seconds", type=float, default=1.0, help="the limit")
    wish = parser.parse_args()
    limits = Limits(cpu_seconds=wish.cpu_seconds, memory_mib=1024)
    challenges = open_dataset("humaneval").challenges
    given = answers(challenges, N, limits)[: wish.programs]
    print(f"{len(given)} answers: {dict(Counter(answer.kind for answer in given))}")
    quiet = _pass("1 slot a core", 1, given, limits)
    with busy_neighbours():
        busy = _pass(f"{wish.factor} slots a core and a neighbour", wish.factor, given, limits)
    found = differences(given, quiet.judged.verdicts, busy.judged.verdicts)
    for line in found:
        print(line)
    print(f"{len(found)} of {len(given)} outcomes differ")
    sys.exit(1 if found else 0)


class _Plain(argparse.RawDescriptionHelpFormatter):
    """Keeps the docstring's lines."""


def _pass(label: str, factor: int, given: list[Answer], limits: Limits) -> Pass:
    challenges = open_dataset("humaneval").challenges
    began = time.perf_counter()
    judged = judge_all(challenges, given, limits, factor * cores())
    done = Pass(label, judged, time.perf_counter() - began)
    done.show()
    return done


if __name__ == "__main__":
    main()

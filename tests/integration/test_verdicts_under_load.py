"""A verdict says something about a program, so a busy host may not change it."""

from __future__ import annotations

from collections import Counter

from busy_neighbours import busy_neighbours
from crucible_tasks.challenge import Limits
from crucible_tasks.challenges import open_dataset
from load_answers import answers, cores, differences, judge_all

#: short, so that the endless ones end soon
LIMITS = Limits(cpu_seconds=0.5, memory_mib=1024)


def test_four_times_too_many_slots_and_neighbours_change_no_outcome() -> None:
    challenges = open_dataset("humaneval").challenges[:3]
    given = answers(challenges, 20, LIMITS)
    quiet = judge_all(challenges, given, LIMITS, cores())
    with busy_neighbours():
        busy = judge_all(challenges, given, LIMITS, 4 * cores())

    assert differences(given, quiet.verdicts, busy.verdicts) == []
    # or the comparison would say nothing
    kinds = Counter((a.kind, str(v.outcome)) for a, v in zip(given, busy.verdicts, strict=True))
    assert kinds["slow", "passed"] == 6
    assert kinds["endless", "timed_out"] == 1
    assert kinds["right", "passed"] > 5
    assert kinds["mutant", "failed"] > 10
    assert busy.guards == 0

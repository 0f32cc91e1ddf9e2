"""Parts of a working sandbox are killed one after another: every verdict stays right."""

from __future__ import annotations

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice

import pytest

from crucible_tasks.challenge import OracleTests, StdioCase, StdioTests
from crucible_tasks.verdict import Outcome
from crucible_workers.sandbox.slots import SlotSandbox
from prison_kills import PARTS, Killer, Victim, children, victims, wait_until_gone
from sandbox_probes import challenge_of, opened

#: long enough to be killed at it; most of a program's life is the nap
NAP = "import time\ntime.sleep(0.1)\n"
RIGHT = NAP + "def double(x): return 2 * x"
WRONG = NAP + "def double(x): return x"
SCRIPT = NAP + "print(2 * int(input()))"

SPLIT = challenge_of("assert double(21) == 42")
#: one process for each program, because `random` remembers
STATEFUL = challenge_of("import random\nrandom.seed(1)\nassert double(21) == 42")
SHARED = challenge_of("class Two(double(int)): pass\nassert Two() == 0")
ORACLE = challenge_of(
    OracleTests("def double(x): return 2 * x", "[[1], [2]]"), entry_point="double"
)
STDIO = challenge_of(StdioTests((StdioCase("1", "2"), StdioCase("2", "4"))))

#: challenge, program and the one right outcome
CASES = (
    (SPLIT, RIGHT, Outcome.PASSED),
    (SPLIT, WRONG, Outcome.FAILED),
    (ORACLE, RIGHT, Outcome.PASSED),
    (STATEFUL, RIGHT, Outcome.PASSED),
    (SPLIT, NAP + "def double(x): 1 / 0", Outcome.ERROR),
    (STDIO, SCRIPT, Outcome.PASSED),
    (SHARED, NAP + "def double(x): return x", Outcome.PASSED),
    (SPLIT, NAP + "x = bytearray(1 << 40)", Outcome.OUT_OF_MEMORY),
    (STATEFUL, WRONG, Outcome.FAILED),
    (ORACLE, WRONG, Outcome.FAILED),
    (STDIO, SCRIPT + "\nprint()\nprint(1)", Outcome.FAILED),
    (SPLIT, NAP + "while True: pass", Outcome.TIMED_OUT),
)
ROUNDS = 2
PATIENCE_SECONDS = 60.0


def wrong_verdicts(sandbox: SlotSandbox, killer: Killer, first: int) -> list[str]:
    """Judge all cases again and again while the killer works; what came out wrong."""
    wrong = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    cases = islice(cycle(CASES), first, None)
    while killer.is_alive() and time.monotonic() < deadline:
        challenge, program, expected = next(cases)
        verdict = next(sandbox.judge(challenge, [program]))
        if verdict.outcome is not expected:
            wrong.append(f"{program!r}: {verdict.outcome} ({verdict.detail})")
    return wrong


@pytest.mark.parametrize("victim", PARTS)
def test_a_killed_part_of_the_sandbox_changes_no_verdict(victim: Victim) -> None:
    others = children(os.getpid())
    with opened("namespaces", slots=2) as sandbox:
        killer = Killer(os.getpid(), {victim: 1}, ROUNDS, random.Random(victim), mean_gap=0.2)
        killer.spared = others
        killer.start()
        with ThreadPoolExecutor() as pool:
            halves = (0, len(CASES) // 2)
            found = [pool.submit(wrong_verdicts, sandbox, killer, first) for first in halves]
        killer.stop()
        ours = {
            process.number for some in victims(os.getpid(), others).values() for process in some
        }

    assert [half.result() for half in found] == [[], []]
    assert killer.killed == {victim: ROUNDS}
    assert wait_until_gone(ours, seconds=5) == []

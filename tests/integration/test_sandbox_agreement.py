"""The split verdict agrees with a judge of one process, answer by answer."""

from __future__ import annotations

import contextlib
import io
import os
import random
import resource
import signal
import sys

from crucible_tasks.challenge import Challenge, Limits, ScriptTests
from crucible_tasks.challenges import open_dataset
from crucible_tasks.verdict import Mode, Outcome
from mutants import mutants
from sandbox_probes import opened

COUNT = 100
SEED = 20_260_101
#: some mutants never end
CPU_SECONDS = 1
MEMORY_BYTES = 4 << 30


def passes_in_one_process(program: str, test: str) -> bool:
    """What a harness without walls finds: program and test in one namespace, in a child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _judge_here(program, test, writing)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as verdict:
        passed = verdict.read() == b"passed"
    os.waitpid(child, 0)
    return passed


def _judge_here(program: str, test: str, writing: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    # a program that sleeps uses no CPU time
    signal.alarm(10 * CPU_SECONDS)
    sys.stdin = io.StringIO()
    namespace = {"__name__": "solution"}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        exec(program, namespace)
        exec(test, namespace)
    os.write(writing, b"passed")


def test_the_judge_of_one_process_can_tell() -> None:
    assert passes_in_one_process("def f(): return 1", "assert f() == 1")
    assert not passes_in_one_process("def f(): return 1", "assert f() == 2")
    assert not passes_in_one_process("def f(): raise SystemExit", "f()")
    assert not passes_in_one_process("while True: pass", "")


def test_mutants_get_the_same_verdict_from_both() -> None:
    chosen = _chosen()
    ours = []
    limits = Limits(cpu_seconds=CPU_SECONDS)
    with opened("namespaces") as sandbox:
        for challenge, program in chosen:
            ours.append(next(sandbox.judge(challenge, [program], limits)))

    theirs = [passes_in_one_process(program, _test(challenge)) for challenge, program in chosen]

    differences = {
        f"{challenge.task_id} {verdict.outcome} {verdict.detail} {program[-200:]!r}"
        for (challenge, program), verdict, passed in zip(chosen, ours, theirs, strict=True)
        if (verdict.outcome is Outcome.PASSED) is not passed
    }
    assert differences == set()
    assert {verdict.mode for verdict in ours} == {Mode.SPLIT}
    # neither all wrong nor all right, or agreement would show nothing
    assert 10 <= sum(theirs) <= COUNT - 10


def _chosen() -> list[tuple[Challenge, str]]:
    """A mutant of every challenge of HumanEval in random order, up to the count."""
    chance = random.Random(SEED)
    challenges = list(open_dataset("humaneval").challenges)
    found = []
    for challenge in chance.sample(challenges, len(challenges)):
        assert challenge.reference is not None
        program = next(mutants(challenge.reference, chance), None)
        if program is not None:
            found.append((challenge, program))
    return found[:COUNT]


def _test(challenge: Challenge) -> str:
    assert isinstance(challenge.tests, ScriptTests)
    return challenge.tests.source

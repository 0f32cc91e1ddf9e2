"""Answers whose verdicts a busy host must not change: right, wrong, endless and almost too slow."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

import pytest

from crucible_tasks.challenge import Challenge, Limits
from crucible_tasks.verdict import Verdict
from crucible_workers.sandbox import open_sandbox, slots
from crucible_workers.sandbox.deaths import Doubt, Finding
from crucible_workers.sandbox.slot import Slot
from mutants import mutants

#: of twenty answers to one challenge
SLOW = 2
MUTANTS = 10
#: one challenge of so many gets an endless answer
ENDLESS_EVERY = 4

#: of the CPU limit, for the slow ones
SLOW_SHARE = 0.6

#: answers asked for in one question, few so that many slots have work
_GROUP = 5

_SLOW_CODE = """
import time as _time
while _time.process_time() < {seconds}:
    pass
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """A program, and what it is meant to show."""

    kind: str
    task_id: str
    program: str


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdicts of one pass over all answers, and what they took."""

    verdicts: tuple[Verdict, ...]
    #: how often the wall guard ended a program
    guards: int
    #: judgings beyond one for each answer
    again: int

    @property
    def stretch(self) -> float:
        """The largest ratio of wall time to CPU time of a program that worked for a while."""
        worked = [verdict for verdict in self.verdicts if verdict.cpu_seconds >= 0.1]
        return max((one.wall_seconds / one.cpu_seconds for one in worked), default=1.0)


def answers(challenges: Sequence[Challenge], n: int, limits: Limits) -> list[Answer]:
    """n distinct answers to each challenge."""
    return [
        answer
        for position, challenge in enumerate(challenges)
        for answer in _answers(challenge, position, n, limits)
    ]


def judge_all(
    challenges: Sequence[Challenge],
    given: Sequence[Answer],
    limits: Limits,
    count: int,
) -> Judged:
    """Judge every answer with `count` slots busy at once."""
    by_id = {challenge.task_id: challenge for challenge in challenges}
    _CountingSlot.reset()
    with (
        pytest.MonkeyPatch.context() as patch,
        ThreadPoolExecutor(count) as pool,
    ):
        patch.setattr(slots, "Slot", _CountingSlot)
        with closing(open_sandbox("namespaces", count)) as sandbox:

            def ask(group: Sequence[Answer]) -> list[Verdict]:
                programs = [answer.program for answer in group]
                return list(sandbox.judge(by_id[group[0].task_id], programs, limits))

            verdicts = [one for found in pool.map(ask, _groups(given)) for one in found]
    return Judged(tuple(verdicts), _CountingSlot.guards, _CountingSlot.judgings - len(verdicts))


def differences(
    given: Sequence[Answer], one: Sequence[Verdict], other: Sequence[Verdict]
) -> list[str]:
    """The answers whose outcome depends on the pass, a line for each."""
    return [
        f"{answer.task_id} ({answer.kind}): {a.outcome} with {a.cpu_seconds:.2f} s ({a.detail}), "
        f"then {b.outcome} with {b.cpu_seconds:.2f} s ({b.detail})"
        for answer, a, b in zip(given, one, other, strict=True)
        if a.outcome is not b.outcome
    ]


def cores() -> int:
    """How many slots a quiet host has."""
    return os.cpu_count() or 1


class _CountingSlot(Slot):
    """A slot that counts what it is asked."""

    judgings = 0
    guards = 0
    _lock = threading.Lock()

    @classmethod
    def reset(cls) -> None:
        cls.judgings = cls.guards = 0

    def judge(self, challenge: Challenge, programs: Sequence[str], limits: Limits) -> list[Finding]:
        findings = super().judge(challenge, programs, limits)
        with self._lock:
            _CountingSlot.judgings += len(findings)
            _CountingSlot.guards += sum(one.doubt is Doubt.WALL for one in findings)
        return findings


def _answers(challenge: Challenge, position: int, n: int, limits: Limits) -> Iterator[Answer]:
    reference = (challenge.reference or "").rstrip()
    found = list(islice(_kinds(challenge, position, limits), n))
    found += [("right", reference)] * (n - len(found))
    for number, (kind, program) in enumerate(found):
        # the comment makes every text another program
        yield Answer(kind, challenge.task_id, f"{program}\n# answer {number}\n")


def _kinds(challenge: Challenge, position: int, limits: Limits) -> Iterator[tuple[str, str]]:
    reference = (challenge.reference or "").rstrip()
    slow = f"{reference}\n{_SLOW_CODE.format(seconds=SLOW_SHARE * limits.cpu_seconds)}"
    yield from [("slow", slow)] * SLOW
    if position % ENDLESS_EVERY == 0:
        yield "endless", f"{reference}\nwhile True:\n    pass"
    for mutant in islice(mutants(reference, random.Random(position)), MUTANTS):
        yield "mutant", mutant


def _groups(given: Sequence[Answer]) -> Iterator[Sequence[Answer]]:
    """Neighbours that answer the same challenge."""
    start = 0
    while start < len(given):
        task_id = given[start].task_id
        end = start
        while end < min(len(given), start + _GROUP) and given[end].task_id == task_id:
            end += 1
        yield given[start:end]
        start = end

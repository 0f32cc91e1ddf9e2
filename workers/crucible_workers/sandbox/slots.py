"""The sandbox over a fixed number of slots, with wall guards judged again alone."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager

from crucible_infra.errors import SandboxBroken, UnsupportedLanguage
from crucible_tasks.challenge import Challenge, Language, Limits, RepositoryTests, ScriptTests
from crucible_tasks.verdict import Outcome, Verdict
from crucible_workers.sandbox.cgroups import remove_leftovers
from crucible_workers.sandbox.deaths import Doubt, Finding
from crucible_workers.sandbox.guard import WallGuard
from crucible_workers.sandbox.javascript.slot import NodeSlot
from crucible_workers.sandbox.prisons import PrisonKilled
from crucible_workers.sandbox.repository_slot import RepositorySlot
from crucible_workers.sandbox.runtime import find_runtime
from crucible_workers.sandbox.slot import Slot

_CANARY = Challenge(
    task_id="canary",
    language=Language.PYTHON,
    prompt="",
    entry_point="answer",
    tests=ScriptTests("assert answer() == 42"),
)
_CANARY_SOURCE = "def answer():\n    return 42\n"
_NODE_CANARY = Challenge(
    task_id="canary",
    language=Language.JAVASCRIPT,
    prompt="",
    entry_point="answer",
    tests=ScriptTests("require('node:assert').strictEqual(answer(), 42);"),
)
_NODE_CANARY_SOURCE = "function answer() { return 42; }\n"
#: programs handed over at once; a slot returns early when they take long
_BATCH = 64
#: of one program that is killed from outside each time
_MOST_JUDGINGS = 5
_BREAKS_THAT_CONVICT = 2


AnySlot = Slot | NodeSlot | RepositorySlot


def _queue(slots: Sequence[AnySlot]) -> queue.SimpleQueue[AnySlot]:
    free: queue.SimpleQueue[AnySlot] = queue.SimpleQueue()
    for slot in slots:
        free.put(slot)
    return free


class Quiet:
    """Many may work at once, or one alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._working = 0
        self._is_alone = False

    @contextmanager
    def together(self) -> Iterator[None]:
        """Work beside others."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_alone)
            self._working += 1
        try:
            yield
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Work while nobody else does."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_alone)
            self._is_alone = True
            self._changed.wait_for(lambda: self._working == 0)
        try:
            yield
        finally:
            with self._changed:
                self._is_alone = False
                self._changed.notify_all()


class SlotSandbox:
    """Judges in `count` slots; implements Sandbox."""

    def __init__(self, backend: str, count: int, guard: WallGuard | None = None) -> None:
        runtime = find_runtime()
        # a worker that was killed could not remove its own
        remove_leftovers()
        self.backend = backend
        self._slots = [Slot(number, backend, runtime, guard) for number in range(count)]
        # each costs nothing until it is first used
        self._node_slots = [NodeSlot(number, backend, runtime, guard) for number in range(count)]
        self._repository_slots = [
            RepositorySlot(number, backend, runtime, guard) for number in range(count)
        ]
        self._free = _queue(self._slots)
        self._free_nodes = _queue(self._node_slots)
        self._free_repositories = _queue(self._repository_slots)
        self._quiet = Quiet()

    def judge(
        self, challenge: Challenge, programs: Sequence[str], limits: Limits | None = None
    ) -> Generator[Verdict, None, None]:
        """One verdict per program, in their order; see `Sandbox.judge`."""
        for finding in self._findings(challenge, programs, limits or challenge.limits):
            yield finding.verdict

    def run(self, challenge: Challenge, program: str) -> Finding:
        """The verdict on one program, with what it printed where it is run as a whole."""
        (finding,) = self._findings(challenge, [program], challenge.limits)
        return finding

    def _findings(
        self, challenge: Challenge, programs: Sequence[str], limits: Limits
    ) -> Generator[Finding, None, None]:
        if challenge.language is Language.OTHER:
            raise UnsupportedLanguage(
                f"{challenge.task_id}: programs in this language cannot be judged",
                hint="Python and JavaScript can",
            )
        free = self._free_for(challenge)
        slot = free.get()
        try:
            done = 0
            while done < len(programs):
                batch = programs[done : done + _BATCH]
                for finding in self._judge_batch(slot, challenge, batch, limits):
                    done += 1
                    yield finding
        finally:
            free.put(slot)

    def prove(self) -> None:
        """Judge one harmless program.

        Raises SandboxUnavailable, or SandboxBroken when it does not pass.
        """
        (verdict,) = self.judge(_CANARY, [_CANARY_SOURCE])
        if verdict.outcome is not Outcome.PASSED:
            raise SandboxBroken(f"the sandbox failed a harmless program: {verdict.detail}")

    def close(self) -> None:
        """End every prison."""
        for slot in self._slots:
            slot.close()
        for node_slot in self._node_slots:
            node_slot.close()
        for repository_slot in self._repository_slots:
            repository_slot.close()

    def _free_for(self, challenge: Challenge) -> queue.SimpleQueue[AnySlot]:
        if isinstance(challenge.tests, RepositoryTests):
            return self._free_repositories
        return self._free_nodes if challenge.language is Language.JAVASCRIPT else self._free

    def _judge_batch(
        self, slot: AnySlot, challenge: Challenge, batch: Sequence[str], limits: Limits
    ) -> list[Finding]:
        """Findings that count, of the first programs of a batch."""
        try:
            with self._quiet.together():
                findings = slot.judge(challenge, batch, limits)
        except PrisonKilled:
            return [self._judge_alone(slot, challenge, batch[0], limits, breaks=0)]
        except SandboxBroken:
            return [self._judge_alone(slot, challenge, batch[0], limits, breaks=1)]
        if findings[-1].doubt is not None:
            program = batch[len(findings) - 1]
            findings[-1] = self._judge_alone(slot, challenge, program, limits, breaks=0)
        return findings

    def _judge_alone(
        self, slot: AnySlot, challenge: Challenge, program: str, limits: Limits, breaks: int
    ) -> Finding:
        """Judge again what is in doubt, while no other slot works.

        The wall guard's second word counts. What somebody kills is judged until nobody does; a
        program that breaks its prison twice, where a harmless one does not, is to blame for it.
        """
        killed: Finding | None = None
        for _ in range(_MOST_JUDGINGS):
            try:
                with self._quiet.alone():
                    (finding,) = slot.judge(challenge, [program], limits)
            except PrisonKilled:
                continue
            except SandboxBroken:
                breaks += 1
                if breaks >= _BREAKS_THAT_CONVICT:
                    return self._convict(slot, challenge.language)
                continue
            # without a namespace of its own a program can kill itself
            if finding.doubt is not Doubt.KILLED or self.backend == "process":
                return finding
            killed = finding
        if killed is None:
            raise SandboxBroken("somebody keeps killing the sandbox's processes")
        return killed

    def _convict(self, slot: AnySlot, language: Language) -> Finding:
        """A prison broke twice: of the host, or of the program? A known one after it tells."""
        known = (_CANARY, _CANARY_SOURCE)
        if language is Language.JAVASCRIPT:
            known = (_NODE_CANARY, _NODE_CANARY_SOURCE)
        canary = self._judge_alone(slot, *known, Limits(), breaks=-_MOST_JUDGINGS).verdict
        if canary.outcome is not Outcome.PASSED:
            raise SandboxBroken(f"the sandbox failed a harmless program: {canary.detail}")
        detail = "broke its prison twice, where a harmless program does not"
        return Finding(Verdict(Outcome.FORBIDDEN, detail))

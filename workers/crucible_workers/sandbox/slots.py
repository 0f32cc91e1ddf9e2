"""The sandbox over a fixed number of slots, with wall guards judged again alone."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from crucible_infra.errors import SandboxBroken, UnsupportedLanguage
from crucible_tasks.challenge import Challenge, Language, Limits, ScriptTests
from crucible_tasks.verdict import Outcome, Verdict
from crucible_workers.sandbox.runtime import find_runtime
from crucible_workers.sandbox.slot import Slot, WallGuard

_CANARY = Challenge(
    task_id="canary",
    language=Language.PYTHON,
    prompt="",
    entry_point="answer",
    tests=ScriptTests("assert answer() == 42"),
)
_CANARY_SOURCE = "def answer():\n    return 42\n"


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
        self.backend = backend
        self.packages = runtime.packages
        self._slots = [Slot(number, backend, runtime, guard) for number in range(count)]
        self._free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
        for slot in self._slots:
            self._free.put(slot)
        self._quiet = Quiet()

    def judge(
        self, challenge: Challenge, programs: Sequence[str], limits: Limits | None = None
    ) -> Generator[Verdict, None, None]:
        """One verdict per program, in their order; see `Sandbox.judge`."""
        if challenge.language is not Language.PYTHON:
            raise UnsupportedLanguage(
                f"{challenge.task_id}: {challenge.language} programs cannot be judged here",
                hint="this version judges Python",
            )
        slot = self._free.get()
        try:
            for program in programs:
                yield self._judge_one(slot, challenge, program, limits or challenge.limits)
        finally:
            self._free.put(slot)

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

    def _judge_one(self, slot: Slot, challenge: Challenge, program: str, limits: Limits) -> Verdict:
        try:
            with self._quiet.together():
                finding = slot.judge(challenge, program, limits)
            if finding.is_wall_guard:
                with self._quiet.alone():
                    finding = slot.judge(challenge, program, limits)
        except SandboxBroken:
            return self._judge_again(slot, challenge, program, limits)
        return finding.verdict

    def _judge_again(
        self, slot: Slot, challenge: Challenge, program: str, limits: Limits
    ) -> Verdict:
        """A prison died: of the host, or of the program? A known program after it tells."""
        try:
            with self._quiet.alone():
                return slot.judge(challenge, program, limits).verdict
        except SandboxBroken:
            with self._quiet.alone():
                canary = slot.judge(_CANARY, _CANARY_SOURCE, Limits())
            if canary.verdict.outcome is not Outcome.PASSED:
                raise
            detail = "broke its prison twice, where a harmless program does not"
            return replace(canary.verdict, outcome=Outcome.FORBIDDEN, detail=detail)

"""Sandboxes over a real one that fall ill after some programs, each in a way of its own."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace

from crucible_infra.errors import SandboxBroken
from crucible_tasks.challenge import Challenge, Limits
from crucible_tasks.verdict import Outcome, Verdict
from crucible_workers.sandbox import Sandbox


class SickSandbox:
    """Judges like the real one inside until `healthy` programs are done; implements Sandbox."""

    def __init__(self, inside: Sandbox, healthy: int = 0, ill: int | None = None) -> None:
        self.inside = inside
        self._lock = threading.Lock()
        self._judged = 0
        self._ill = range(healthy, 10**9 if ill is None else healthy + ill)
        #: of every program, whichever thread asked
        self.asked: list[str] = []

    def judge(
        self, challenge: Challenge, programs: Sequence[str], limits: Limits | None = None
    ) -> Generator[Verdict, None, None]:
        for program in programs:
            with self._lock:
                is_ill = self._judged in self._ill
                self._judged += 1
                self.asked.append(program)
            yield (self._sickly if is_ill else self._truly)(challenge, program, limits)

    def prove(self) -> None:
        self.inside.prove()

    def close(self) -> None:
        self.inside.close()

    def _truly(self, challenge: Challenge, program: str, limits: Limits | None) -> Verdict:
        with closing(self.inside.judge(challenge, [program], limits)) as verdicts:
            return next(verdicts)

    def _sickly(self, challenge: Challenge, program: str, limits: Limits | None) -> Verdict:
        raise NotImplementedError


class Forging(SickSandbox):
    """Everything passes, as where a program got hold of the verdicts."""

    def _sickly(self, challenge: Challenge, program: str, limits: Limits | None) -> Verdict:
        return replace(self._truly(challenge, program, limits), outcome=Outcome.PASSED, detail="")


class Failing(SickSandbox):
    """Everything fails, as where a library of the interpreter was replaced."""

    def _sickly(self, challenge: Challenge, program: str, limits: Limits | None) -> Verdict:
        return replace(self._truly(challenge, program, limits), outcome=Outcome.ERROR, detail="ill")


class Overloaded(SickSandbox):
    """Nothing gets the CPU time it is promised: the real sandbox with hardly any."""

    def _sickly(self, challenge: Challenge, program: str, limits: Limits | None) -> Verdict:
        chosen = limits or challenge.limits
        return self._truly(challenge, program, replace(chosen, cpu_seconds=0.0001))


class Late(SickSandbox):
    """Each program gets the verdict of the one before it, as after a message too many."""

    _last = Verdict(Outcome.PASSED)

    def _sickly(self, challenge: Challenge, program: str, limits: Limits | None) -> Verdict:
        found, self._last = self._last, self._truly(challenge, program, limits)
        return found


class Limitless(SickSandbox):
    """Says that CPU time was used up, but had not watched it: the clock has stopped."""

    def _sickly(self, challenge: Challenge, program: str, limits: Limits | None) -> Verdict:
        return replace(self._truly(challenge, program, limits), cpu_seconds=0.0)


class Dead(SickSandbox):
    """Cannot judge at all."""

    def _sickly(self, challenge: Challenge, program: str, limits: Limits | None) -> Verdict:
        del challenge, program, limits
        raise SandboxBroken("a prison died while judging")

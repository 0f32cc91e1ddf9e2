"""A slot: one candidates' prison beside one driver's prison, judging one program at a time."""

from __future__ import annotations

import select
import socket
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from crucible_infra.errors import SandboxBroken, UnusableTests
from crucible_tasks.challenge import Challenge, Limits, StdioTests
from crucible_workers.sandbox.deaths import Finding, Judging, conclude
from crucible_workers.sandbox.guard import WallGuard, busy_seconds, wait_unless_idle
from crucible_workers.sandbox.prison.frames import ChannelClosed, receive_message, send_message
from crucible_workers.sandbox.prison.line import BATCH_SECONDS, NO_CPU_LIMIT, Line, Report
from crucible_workers.sandbox.prisons import Cell, ChallengeDriver, Prison, PrisonKilled, checked
from crucible_workers.sandbox.runtime import Runtime, needed_packages
from crucible_workers.sandbox.whole_programs import WholePrograms

_STUCK = Report("", "stopped", 0, 0, 0.0, NO_CPU_LIMIT, "")


class _DriverStuck(Exception):
    """A value that a program returned keeps the tests busy for ever."""


class Slot:
    """Two prisons, the line between them and the challenge loaded in them."""

    def __init__(
        self, number: int, backend: str, runtime: Runtime, guard: WallGuard | None = None
    ) -> None:
        self._opening = (number, backend, runtime)
        self._guard = guard or WallGuard()
        self._candidates: Prison | None = None
        self._drivers: Prison | None = None
        self._ends: list[socket.socket] = []
        self._limits: Limits | None = None
        self._modules: frozenset[str] = frozenset()
        self._challenge: Challenge | None = None
        self._driver: ChallengeDriver | None = None
        self._stuck_on: Challenge | None = None

    def open(self) -> None:
        """Open both prisons. Raises SandboxUnavailable, or PrisonKilled when one is killed."""
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        orders, ordered = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        reports, reported = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ends = [orders, reports]
        # only the prison itself may hold these, or nobody would see its end
        with ordered, reported:
            self._candidates = self._prison("candidate", (ordered, reported))
        self._drivers = self._prison("driver", self._ends)

    def _prison(self, role: str, line: Sequence[socket.socket]) -> Prison:
        number, backend, runtime = self._opening
        return Prison(role, Cell(number, int(role == "driver")), backend, line, runtime)

    def close(self) -> None:
        """End both prisons and everything in them."""
        self._forget_challenge()
        for end in self._ends:
            end.close()
        for prison in (self._candidates, self._drivers):
            if prison is not None:
                prison.close()
        self._candidates = self._drivers = self._limits = None
        self._ends, self._modules = [], frozenset()

    def judge(self, challenge: Challenge, programs: Sequence[str], limits: Limits) -> list[Finding]:
        """Judge the first of these programs: one at least, fewer than all when time is up.

        The last finding may be in doubt, no other.

        Raises:
            UnusableTests: the challenge's own tests cannot be loaded.
            SandboxBroken: a prison died; PrisonKilled when somebody else did it.
            SandboxUnavailable: this host lacks a building block.
        """
        try:
            batch = programs[:1] if self._stuck_on is challenge else programs
            return self._judge(challenge, batch, limits)
        except _DriverStuck:
            self.close()
            if len(batch) == 1:
                return [conclude(Judging(None, _STUCK, 0, 0.0), limits)]
            # which program's value keeps it busy for ever shows when they come one by one
            self._stuck_on = challenge
            return self.judge(challenge, programs, limits)
        except SandboxBroken:
            # else a dead prison would answer the next program too
            self.close()
            raise
        except (ChannelClosed, OSError) as error:
            kind = PrisonKilled if self._was_killed() else SandboxBroken
            self.close()
            raise kind("a prison died while judging") from error

    def _was_killed(self) -> bool:
        if self._opening[1] == "process":
            # without walls a program can kill its prison
            return False
        if self._driver is not None and self._driver.was_killed():
            return True
        prisons = (self._candidates, self._drivers)
        return any(prison is not None and prison.was_killed() for prison in prisons)

    def _judge(
        self, challenge: Challenge, programs: Sequence[str], limits: Limits
    ) -> list[Finding]:
        if self._candidates is None or self._drivers is None:
            self.open()
        self._prepare(challenge, limits)
        whole = WholePrograms(Line(*self._ends), self._guard, self._busy_seconds, self._stop)
        if isinstance(challenge.tests, StdioTests):
            return [whole.judge_stdio(challenge.tests, programs[0], limits)]
        driver = self._load(challenge)
        if driver.is_shared:
            return [whole.judge_shared(challenge, programs[0], limits)]
        kills = _oom_kills()
        results = self._judge_split(driver, programs, limits)
        memory_ran_out = _oom_kills() > kills
        return [
            conclude(
                Judging(
                    verdict,
                    checked(Report(*report)),
                    written,
                    wall,
                    memory_ran_out=memory_ran_out,
                ),
                limits,
            )
            for verdict, report, written, wall in results
        ]

    def _prepare(self, challenge: Challenge, limits: Limits) -> None:
        """Have the next children live under these limits, with what they will import."""
        assert self._candidates is not None
        # what a zygote has loaded stays there
        modules = self._modules | needed_packages(challenge)
        if limits != self._limits or modules != self._modules:
            message = {"limits": asdict(limits), "modules": sorted(modules)}
            send_message(self._candidates.control, message)
            receive_message(self._candidates.control)
            self._limits, self._modules = limits, modules

    def _load(self, challenge: Challenge) -> ChallengeDriver:
        if self._driver is None or self._challenge is not challenge:
            self._forget_challenge()
            message = {
                "prompt": challenge.prompt if challenge.prompt_is_code else "",
                "entry_point": challenge.entry_point,
                "tests": msgspec.to_builtins(challenge.tests),
            }
            assert self._drivers is not None
            self._driver = ChallengeDriver(self._drivers, message)
            self._challenge = challenge
        if self._driver.problem is not None:
            raise UnusableTests(f"the tests of {challenge.task_id}: {self._driver.problem}")
        return self._driver

    def _forget_challenge(self) -> None:
        if self._driver is not None:
            self._driver.close()
        self._driver = self._challenge = None

    def _judge_split(
        self, driver: ChallengeDriver, programs: Sequence[str], limits: Limits
    ) -> list[Any]:
        """Verdict, report, bytes written and wall seconds of each program of a batch."""
        send_message(driver.control, {"programs": list(programs)})
        # what is judged alone is watched from its beginning
        guard = self._guard.seconds(limits) + (BATCH_SECONDS if len(programs) > 1 else 0)

        def look(seconds: float) -> bool:
            return self._has_answered(driver, seconds)

        if not wait_unless_idle(look, guard, self._busy_seconds):
            self._stop()
            if not look(self._guard.last_word_seconds):
                raise _DriverStuck
        results: list[Any] = receive_message(driver.control)[0]
        return results

    def _stop(self) -> None:
        """Have the zygote end its program, for the wall guard."""
        assert self._candidates is not None
        send_message(self._candidates.control, {"stop": True})

    def _has_answered(self, driver: ChallengeDriver, seconds: float) -> bool:
        """Wait for a batch's end. Raises ChannelClosed when the candidates' zygote has died."""
        assert self._candidates is not None
        poll = select.poll()
        for control in (driver.control, self._candidates.control):
            poll.register(control, select.POLLIN)
        ready = [number for number, _ in poll.poll(seconds * 1000)]
        if ready == [self._candidates.control.fileno()]:
            raise ChannelClosed
        return bool(ready)

    def _busy_seconds(self) -> float:
        assert self._candidates is not None
        return busy_seconds(self._candidates.pid)


def _oom_kills() -> int:
    """Kills for memory on this host, those of cgroups included (`oom_kill` of /proc/vmstat)."""
    try:
        _, _, rest = Path("/proc/vmstat").read_text().partition("\noom_kill ")
    except OSError:
        return 0
    return int(rest.split(maxsplit=1)[0]) if rest else 0

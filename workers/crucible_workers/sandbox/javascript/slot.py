"""A slot for JavaScript: a driver, a process for plain programs, and one for each other program.

A Node process takes 30 to 70 ms of CPU to start, more than most programs take to be judged. So the
driver stays for every challenge, and programs that the gate calls plain share one process, each in
a realm of its own.

Why that is safe enough
-----------------------
The wall between a program and the host, and between it and the verdict, is the same for both
kinds: another process behind namespaces, a minimal root, no network, no capability, a seccomp
filter. A realm is only the wall between *samples*: what a plain program could reach by leaving its
realm is the process that judges the samples after it, never the tests. Four things keep it in:

- the gate refuses what names a way out, or anything but the language;
- no object of Node's or ours enters a realm; calls cross as text, and every exception of ours is
  swallowed on the inside of the border;
- strings become no code in a realm, so `"cons" + "tructor"` leads nowhere;
- its reactions to promises run in a queue of its own, while it is judged, and it has no timers.

Not covered: a flaw of V8 that lets a program corrupt its process' memory could decide what later
samples *answer*. What ends its process, or asks for what only Node has, is judged again alone.
"""

from __future__ import annotations

import select
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from crucible_infra.errors import SandboxBroken, UnusableTests
from crucible_tasks.challenge import Challenge, Limits, ScriptTests, StdioTests
from crucible_tasks.verdict import Outcome
from crucible_workers.sandbox.deaths import Finding, Judging, conclude
from crucible_workers.sandbox.guard import WallGuard, wait_unless_idle
from crucible_workers.sandbox.javascript.driver import AnyDriver, Driver
from crucible_workers.sandbox.javascript.gate import is_plain, needs_node
from crucible_workers.sandbox.javascript.node import Node, find_node
from crucible_workers.sandbox.javascript.node_process import NodeProcess
from crucible_workers.sandbox.javascript.whole_scripts import judge_stdio
from crucible_workers.sandbox.prison.frames import ChannelClosed
from crucible_workers.sandbox.prison.line import BATCH_SECONDS
from crucible_workers.sandbox.prisons import Cell, Prison, PrisonKilled
from crucible_workers.sandbox.runtime import Runtime

#: of a slot's prisons, above the two that judge Python
_FIRST_PLACE = 2
#: a process for plain programs ends after that many, whatever they left behind
_MOST_PROGRAMS = 500
_KINDS = ("driver", "many", "alone")
#: a program that is gone may be about to say of what it died
_LAST_WORDS_SECONDS = 0.5
#: what Node itself takes before a program begins
_START_SECONDS = 0.2


class NodeSlot:
    """A driver and two kinds of candidates' processes; judges one program at a time."""

    def __init__(
        self, number: int, backend: str, runtime: Runtime, guard: WallGuard | None = None
    ) -> None:
        self._opening = (number, backend, runtime)
        self._guard = guard or WallGuard()
        #: the driver's, the shared one and the one for a single program, opened when needed
        self._processes: dict[str, NodeProcess] = {}
        self._driver: Driver | None = None
        self._shared_channel = -1
        #: programs that the shared process has judged
        self._judged = 0

    def close(self) -> None:
        """End every process and every prison."""
        if self._driver is not None:
            self._driver.close()
        for process in self._processes.values():
            process.close()
        self._driver = None
        self._processes = {}

    def judge(self, challenge: Challenge, programs: Sequence[str], limits: Limits) -> list[Finding]:
        """Judge the first of these programs: one at least, fewer than all when time is up.

        The last finding may be in doubt, no other.

        Raises:
            UnusableTests: the challenge's own tests cannot be loaded.
            SandboxBroken: a prison died; PrisonKilled when somebody else did it.
            SandboxUnavailable: this host lacks a building block, or Node.
        """
        findings: list[Finding] = []
        ends = time.monotonic() + BATCH_SECONDS
        for source in programs:
            findings.append(self._judge(challenge, source, limits))
            if findings[-1].doubt is not None or time.monotonic() > ends:
                break
        return findings

    def judge_alone(self, challenge: Challenge, source: str, limits: Limits) -> Finding:
        """Judge a program in a process of its own, whatever its text; raises as `judge`."""
        try:
            return self._judge_alone(challenge, source, limits)
        except SandboxBroken:
            # else a dead prison would answer the next program too
            self.close()
            raise
        except (ChannelClosed, OSError) as error:
            was_killed = any(each.was_killed() for each in self._processes.values())
            self.close()
            kind = PrisonKilled if was_killed else SandboxBroken
            raise kind("a prison died while judging") from error

    def _judge_alone(self, challenge: Challenge, source: str, limits: Limits) -> Finding:
        if isinstance(challenge.tests, StdioTests):
            process = self._opened("alone")
            return judge_stdio(process, challenge.tests, source, limits, self._guard)
        if not isinstance(challenge.tests, ScriptTests):
            raise UnusableTests(f"the tests of {challenge.task_id} are for Python programs")
        return self._judge_script(challenge, source, limits, way="alone")

    def _judge(self, challenge: Challenge, source: str, limits: Limits) -> Finding:
        if not isinstance(challenge.tests, ScriptTests) or not is_plain(source):
            return self.judge_alone(challenge, source, limits)
        try:
            finding = self._judge_script(challenge, source, limits, way="many")
        except (SandboxBroken, ChannelClosed, OSError):
            # whose fault it was shows when it is judged alone
            self.close()
            return self.judge_alone(challenge, source, limits)
        return (
            self.judge_alone(challenge, source, limits) if self._is_doubtful(finding) else finding
        )

    def _is_doubtful(self, finding: Finding) -> bool:
        """Whether sharing may have made this verdict: of those who were there before, or Node."""
        outcome = finding.verdict.outcome
        if outcome in (Outcome.PASSED, Outcome.FAILED, Outcome.SYNTAX_ERROR, Outcome.TIMED_OUT):
            return False
        has_died = not self._opened("many").is_running
        return (has_died and self._judged > 1) or needs_node(finding.verdict.detail)

    def _judge_script(self, challenge: Challenge, source: str, limits: Limits, way: str) -> Finding:
        driver = self._fit_driver()
        driver.load(challenge)
        started = time.monotonic()
        process = self._opened(way)
        is_shared = way == "many"
        channel = (
            self._shared(driver, limits) if is_shared else driver.connect(process, way, limits)
        )
        room = 0.0 if is_shared else _START_SECONDS
        process.watch(limits.cpu_seconds + room, from_start=not is_shared)
        driver.attempt(source, channel)
        judging = self._wait(driver, process, limits, started)
        self._judged += is_shared
        if not is_shared or judging.verdict is None or not _is_usual(judging.verdict):
            process.stop()
        return conclude(judging, limits)

    def _wait(
        self, driver: AnyDriver, process: NodeProcess, limits: Limits, started: float
    ) -> Judging:
        """The driver's verdict and the candidate's end, whichever comes first."""
        ready = self._first_of(driver, process, started + self._guard.seconds(limits))
        verdict: list[Any] | None = None
        if driver.control.fileno() in ready:
            verdict = driver.verdict()
            is_gone = verdict[0] == "gone"
            report = process.last_words(_LAST_WORDS_SECONDS) if is_gone else process.look()
        else:
            report = process.report() if ready else process.stop()
            if driver.speaks_within(self._guard.last_word_seconds):
                verdict = driver.verdict()
            else:
                # what the program returned keeps the tests busy, and the next ones waiting
                self._end_driver()
        if verdict is not None and verdict[0] == "gone":
            verdict = process.explained(report) or verdict
        written = driver.printed + process.written()
        return Judging(verdict, report, written, time.monotonic() - started)

    @staticmethod
    def _first_of(driver: AnyDriver, process: NodeProcess, ends: float) -> set[int]:
        """Who speaks first; nobody when the guard does."""
        poll = select.poll()
        poll.register(driver.control, select.POLLIN)
        poll.register(process.control, select.POLLIN)

        def look(seconds: float) -> set[int]:
            return {number for number, _ in poll.poll(max(seconds, 0) * 1000)}

        return wait_unless_idle(look, ends - time.monotonic(), process.busy_seconds)

    def _fit_driver(self) -> Driver:
        if self._driver is not None and not self._driver.is_fit():
            self._end_driver()
        if self._driver is None:
            self._driver = Driver(self._opened("driver"))
        return self._driver

    def _end_driver(self) -> None:
        """End the driver, and the shared process, which talks to no other."""
        if self._driver is not None:
            self._driver.close()
        self._opened("many").stop()
        self._driver = None

    def _shared(self, driver: Driver, limits: Limits) -> int:
        """The channel of the process for plain programs."""
        shared = self._opened("many")
        if self._judged >= _MOST_PROGRAMS or shared.limits != limits:
            shared.stop()
        if not shared.is_running:
            self._shared_channel = driver.connect(shared, "many", limits)
            self._judged = 0
        return self._shared_channel

    def _opened(self, kind: str) -> NodeProcess:
        if kind not in self._processes:
            number, backend, _ = self._opening
            node = find_node(backend)
            prison = Prison("node", self._cell(number, kind), backend, (), self._root(kind, node))
            self._processes[kind] = NodeProcess(prison, node)
        return self._processes[kind]

    def _cell(self, number: int, kind: str) -> Cell:
        return Cell(number, _FIRST_PLACE + _KINDS.index(kind))

    def _root(self, kind: str, node: Node) -> Runtime:
        """What the prison of such a process holds."""
        del kind
        _, backend, runtime = self._opening
        return inside(backend, runtime, node)


def inside(backend: str, runtime: Runtime, node: Node) -> Runtime:
    """What a prison must hold for Node to run."""
    if backend == "process":
        return runtime
    if backend == "container":
        # the zygote starts inside, so its Python must be there too
        return replace(runtime, binds=tuple(dict.fromkeys((*runtime.binds, *node.binds))))
    return replace(runtime, binds=node.binds, masks=())


def _is_usual(verdict: list[Any]) -> bool:
    """Whether the process behind a verdict can judge another program."""
    if verdict[0] == "error":
        return not verdict[1].startswith("wrote to its channel")
    return verdict[0] in ("passed", "failed", "syntax_error")

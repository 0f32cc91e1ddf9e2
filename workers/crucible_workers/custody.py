"""Custody: verdicts wait here until canaries that were judged after them have held.

Nothing that is doubtful is ever stored, so nothing stored must be taken back: an evaluation is
sent, whole, when a checkup that began after it has held. A checkup judges a wrong program and a
right one in every slot (`checkup`), and now and then one endless program.

When a checkup begins
    `period` after the first verdict that waits for it, or at once when the host has nothing to
    judge: an idle host's canaries cost nobody anything, and the end of a run waits for them.
What it costs
    At most `share` of the slots' time while they are busy: a checkup that lent `s` seconds of `n`
    slots pays for the next s / (n * share) seconds, and until those are over only an idle host has
    another, once a `period` at least. A pair takes some 10 ms of its slot, so every slot has one in
    2 s (0.5 %); the endless program takes 0.1 s of one slot in 30 s (0.33 % of one slot, 0.17 % of
    two).

A canary with a wrong verdict makes everything void that was found since the last checkup that held,
and is judged again, with a pair in every slot, while nothing else is. If one is wrong again, the
host is sick: from then on everything is void, and this process must be replaced. What is void is
told to the controller as a failure, so it is judged again, elsewhere where there is another host.

A process that is killed loses the verdicts in its custody. Their requests were retained in Redis
(`holdings`) and are judged again, as those that were under way.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from crucible_infra import log
from crucible_infra.errors import CrucibleError, HostSick
from crucible_tasks.challenge import Challenge, Language, Limits
from crucible_tasks.evaluation import Evaluation
from crucible_tasks.verdict import Verdict
from crucible_workers.canaries import FLOCKS, Complaint, Engine, engine_of
from crucible_workers.checkup import Checkup, Share
from crucible_workers.sandbox.interface import Sandbox

#: programs after which a request may lend its slot: as many as slots judge in one go, for what is
#: judged and not taken from them would be judged again
_TURN_PROGRAMS = 64

#: no program takes less
_LEAST_SECONDS = 1e-4


@dataclass(frozen=True, slots=True)
class Pace:
    """When checkups happen; all in seconds but `share`."""

    #: how long a verdict waits for a checkup: what a sick host does is noticed, and a
    #: progress bar moves, soon enough for a person who watches
    period: float = 2.0
    #: without a program for so long, a host is idle; between two requests there are milliseconds
    idle: float = 0.05
    #: how long a request keeps its slot while a checkup waits for it, if programs are that quick
    turn: float = 1.0
    #: between two endless programs: each costs as much as ten pairs
    endless: float = 30.0
    #: of the slots' time
    share: float = 0.005
    #: how far ahead of what is paid for an idle host may be
    credit: float = 30.0
    #: the most that one checkup pays for: waiting for a busy processor looks like work
    dearest: float = 20.0


@dataclass(frozen=True, slots=True)
class _Kept:
    evaluation: Evaluation
    #: how often the host had been doubted when it began
    doubts: int
    #: what else waits for the canaries
    once_sure: Callable[[], object]


class Custody:
    """Judges with a sandbox, and sends only what canaries vouch for. Safe in several threads."""

    def __init__(
        self,
        sandbox: Sandbox,
        slots: int,
        send: Callable[[Evaluation], object],
        on_sick: Callable[[Complaint], None],
        pace: Pace | None = None,
    ) -> None:
        self.sandbox = sandbox
        self._slots = slots
        self._send = send
        self._on_sick = on_sick
        self._pace = pace or Pace()
        self._changed = threading.Condition()
        self._kept: list[_Kept] = []
        self._since = self._idle_since = self._paid_until = 0.0
        self._working = 0
        self._is_alone = self._is_hurried = False
        self._checkup: Checkup | None = None
        self._checkups = self._doubts = 0
        self._complaint: Complaint | None = None
        self._is_sick = False
        self._engines: set[Engine] = set()
        self._endless_at = time.monotonic() + self._pace.endless
        self._watcher: threading.Thread | None = None

    @property
    def doubts(self) -> int:
        """How often a canary was wrong; what was begun before the last time is void."""
        return self._doubts

    @property
    def sickness(self) -> HostSick | None:
        """Why nothing of this process counts any more; None while it is well."""
        return HostSick(f"this host is sick: {self._complaint}") if self._is_sick else None

    def judge(
        self, challenge: Challenge, programs: Sequence[str], limits: Limits | None
    ) -> Generator[Verdict, None, None]:
        """The sandbox' verdicts, in slots that are lent to canaries now and then.

        Raises HostSick, or what `Sandbox.judge` raises.
        """
        engine = engine_of(challenge)
        if challenge.language is Language.PYTHON:
            self._note(engine)
        done, size = 0, _TURN_PROGRAMS
        while done < len(programs):
            if self._checkup is not None:
                self._checkup.lend()
            turn = programs[done : done + size]
            with self._beside():
                began = time.monotonic()
                with closing(self.sandbox.judge(challenge, turn, limits)) as judging:
                    yield from judging
                seconds = max(time.monotonic() - began, _LEAST_SECONDS)
            # a host without Node says so itself, and is not sick for what else it judges
            self._note(engine)
            done += len(turn)
            # programs that take long make shorter turns
            size = max(1, min(_TURN_PROGRAMS, int(len(turn) * self._pace.turn / seconds)))

    def keep(
        self,
        evaluation: Evaluation,
        doubts: int,
        once_sure: Callable[[], object] = lambda: None,
    ) -> None:
        """Take an evaluation that began when there had been so many doubts.

        When it is sure, it is sent and `once_sure` is called, which raises nothing.
        """
        with self._changed:
            if not self._kept:
                self._since = time.monotonic()
            self._kept.append(_Kept(evaluation, doubts, once_sure))
            if self._watcher is None:
                # a daemon: what it keeps is missed and judged again, a process that hangs is not
                self._watcher = threading.Thread(
                    target=self._watch, name="crucible-canaries", daemon=True
                )
                self._watcher.start()
            self._changed.notify_all()

    def flush(self, timeout_seconds: float) -> bool:
        """Have a checkup now, and from now on at once; whether everything was sent in time."""
        with self._changed:
            self._is_hurried = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not self._kept, timeout_seconds)

    def _note(self, engine: Engine | None) -> None:
        if engine is not None:
            self._engines.add(engine)

    @contextmanager
    def _beside(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._is_alone)
            if self._is_sick:
                raise self.sickness or HostSick
            self._working += 1
        try:
            yield
        finally:
            with self._changed:
                self._working -= 1
                self._idle_since = time.monotonic()
                self._changed.notify_all()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._changed:
            self._is_alone = True
            self._changed.wait_for(lambda: self._working == 0)
        try:
            yield
        finally:
            with self._changed:
                self._is_alone = False
                self._changed.notify_all()

    def _watch(self) -> None:
        while self._wait_until_due():
            try:
                self._settle()
            except Exception as error:  # noqa: BLE001 -- without this thread nothing is ever sent
                log.warning("verdicts_not_sent", problem=str(error))
                time.sleep(self._pace.period)

    def _wait_until_due(self) -> bool:
        with self._changed:
            while self._kept:
                patience = self._due() - time.monotonic()
                if patience <= 0:
                    return True
                self._changed.wait(patience)
            self._watcher = None
            return False

    def _due(self) -> float:
        if self._is_sick or self._is_hurried:
            return -math.inf
        idle = math.inf
        if not self._working:
            # nobody waits for an idle host's canaries longer than for a busy one's
            bound = min(self._paid_until - self._pace.credit, self._since + self._pace.period)
            idle = max(self._idle_since + self._pace.idle, bound)
        return min(idle, max(self._since + self._pace.period, self._paid_until))

    def _settle(self) -> None:
        """Have a checkup, and send what was there when it began, or that it is void."""
        with self._changed:
            kept = tuple(self._kept)
        if not self._is_sick:
            self._check()
        for one in kept:
            is_void = self._is_void(one)
            self._send(self._voided(one) if is_void else one.evaluation)
            # only now, so that what cannot be sent stays
            with self._changed:
                self._kept.remove(one)
                self._since = time.monotonic()
                self._changed.notify_all()
            if not is_void:
                one.once_sure()

    def _check(self) -> None:
        checkup = self._checkup = Checkup(self.sandbox, self._shares(), self._changed)
        try:
            checkup.finish(lambda: self._working + checkup.under_way < self._slots)
        finally:
            self._checkup = None
        price = checkup.lent_seconds / (self._slots * self._pace.share)
        self._paid_until = max(time.monotonic(), self._paid_until) + min(price, self._pace.dearest)
        if checkup.complaint is not None:
            self._doubt(checkup.complaint)

    def _shares(self) -> list[Share]:
        """A pair of each engine in every slot; in the first one also what is rare."""
        self._checkups += 1
        flocks = [FLOCKS[engine] for engine in sorted(self._engines)]
        shares: list[Share] = [
            [flock.pair(self._checkups + slot) for flock in flocks] for slot in range(self._slots)
        ]
        if time.monotonic() >= self._endless_at:
            self._endless_at = time.monotonic() + self._pace.endless
            shares[0] = [*shares[0], *([flock.endless] for flock in flocks)]
        return shares

    def _doubt(self, complaint: Complaint) -> None:
        """Nothing since the last checkup counts; another one, alone, tells if anything ever will.

        A wrong program that passes is no matter of load, so one wrong verdict is enough to void.
        """
        self._doubts += 1
        self._complaint = complaint
        # and every slot, because the one that was wrong is not known
        again = Checkup(self.sandbox, [[[complaint.canary]], *self._shares()], self._changed)
        with self._alone():
            again.finish(lambda: True)
        if again.complaint is None:
            log.warning("canary_doubted", problem=str(complaint))
            return
        self._complaint = again.complaint
        self._is_sick = True
        self._on_sick(again.complaint)

    def _is_void(self, one: _Kept) -> bool:
        return self._is_sick or one.doubts != self._doubts

    def _voided(self, one: _Kept) -> Evaluation:
        problem: CrucibleError = self.sickness or HostSick(
            f"verdicts voided because a {self._complaint}"
        )
        return replace(one.evaluation, judgements=(), failure=problem.message)

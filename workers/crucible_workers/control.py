"""The controller: stores what workers found, and sends what the database says is missing.

The database is the truth. Messages may be lost, repeated or late, and this process may be killed
between any two statements, so:

- Every store is one transaction that changes nothing when repeated. A run's row is locked first,
  so several controllers take turns.
- What to send is read in a transaction and sent after it. A message that is then lost is found
  by `reconcile`, which compares what is planned with what is there.
- What is under way is noted as leases, one for each message, so that nothing is asked twice. One
  ends with the answer, when the message is lost (`control_leases`), or when the run is resumed.
- Only a window of messages is under way at once (`control_window`); what waits for it stays in
  the database, and who goes first is a matter of priority, fair share and models
  (`control_schedule`). Every answer and every reconcile fills it up (`control_dispatch`).
- Only what was asked is answered: a request carries a ticket (`control_tickets`), and an answer
  without it, or with more than was asked, changes nothing.
- A failure is counted with its reason. MAX_FAILURES of them in a row, with nothing done between
  them, give a challenge up; a permanent one does at once. What a host did wrong is never stored
  as a verdict.
- When nothing is missing that was not given up, the scores are written and the run is finished,
  or incomplete.

A stopped or paused run still stores what arrives, but sends nothing more. Workers may still do the
few messages that are under way.

At scale. The unit of cost is a message, not a completion: storing an answer and sending what comes
next takes some ten statements, about 10 ms of one core in Python and 5 ms in Postgres, whatever the
size of the run (`tests/performance/controller_ceiling.py`). An answer of a live model brings 8
completions and each is stored twice, with its text and with its verdict: 400 completions a second
and controller, or 275 where it shares its core with Postgres. Recorded answers come 200 at a time,
which is ten times as many.
100 hosts that sample 10 completions a second each (300 tokens at 3,000 a second) make 1,000 a
second: 10^8 completions take 28 hours and want three controllers. These take turns on a run's row,
so a sweep needs at least three runs, which one of that size has. What breaks first, and what to do:
1. one run's row: 100 messages a second. Larger batches: 32 completions a message are 1,400/s.
2. the primary keys of completions and verdicts, some 100 bytes a row, outgrow Postgres' memory at
   10^8 rows (10 GB each) of some 120 GB of data. Partition both tables by hash of run_id, which
   every one of their keys and queries begins with.
3. progress counts a run's verdicts: 6 ms for 32,800, 0.2 s for 10^6 of one run.
Redis does not: it holds the window, MOST_UNANSWERED messages of some 8 KB.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain, repeat
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection

from crucible_infra import log, settings
from crucible_infra.database import Database, open_database
from crucible_infra.database.attempts import (
    AttemptRow,
    find_attempts,
    store_attempts,
    unanswered_attempts,
)
from crucible_infra.database.completions import (
    CompletionRow,
    insert_completions,
    stored_indices,
)
from crucible_infra.database.draws import insert_draws
from crucible_infra.database.runs import (
    ChallengeRow,
    RunRow,
    find_challenge,
    find_run,
    lock_run,
    running_ids,
    update_run,
)
from crucible_infra.database.verdicts import insert_verdicts, judged_indices
from crucible_infra.errors import DatabaseUnavailable, DiskFull
from crucible_infra.patience import patiently
from crucible_infra.stage import Stage
from crucible_tasks import fine_tuning, holdings, sending
from crucible_tasks.celery_app import RECONCILE_SECONDS
from crucible_tasks.control import RECONCILE, STORE_COMPLETIONS, STORE_VERDICTS, Done, Reconcile
from crucible_tasks.evaluation import Evaluation, Judgement
from crucible_tasks.fine_tuning import STORE_TRAINING, TrainingNews, TrainingOrder
from crucible_tasks.gang import JOIN_GANG, GangOrder, GangReport
from crucible_tasks.generation import Generation
from crucible_tasks.planning import RunState
from crucible_tasks.served import workers_of
from crucible_workers.control_attempts import (
    News,
    Problem,
    answered,
    asked_for,
)
from crucible_workers.control_dispatch import Dispatcher
from crucible_workers.control_fine_tunes import FineTunes
from crucible_workers.control_leases import Leases
from crucible_workers.control_messages import (
    Outgoing,
    completion_row,
    draw_rows,
    evaluation_problem,
    in_order,
    verdict_row,
)
from crucible_workers.control_settling import note_missing, settle
from crucible_workers.control_tickets import Tickets
from crucible_workers.control_window import LOOK_AGAIN_SECONDS

if TYPE_CHECKING:
    from celery.canvas import Signature

#: waits between tries while the database is away, in seconds; a restart of Postgres fits in them,
#: and what a model spent minutes on is worth the wait
_PATIENCE_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)

Answer = TypeVar("Answer")

#: how exactly it is noted when a worker last answered; a write less for most answers
_HEARD_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Controller:
    """The hand that writes the database; give it a `send` that collects, and nothing is sent."""

    database: Database
    send: Callable[[Signature], object]
    #: how many messages of a queue wait in the broker
    backlog: Callable[[str], int]
    #: whether to take up runs other processes started; a laptop's run belongs to its command
    adopts_runs: bool = True
    #: asks for another reconcile soon; a laptop has so few workers that it needs none
    look_again: Callable[[], object] | None = None
    leases: Leases = field(default_factory=Leases)
    #: the names of the workers that train now; None where nobody can tell
    trainers: Callable[[], frozenset[str]] | None = None
    tickets: Tickets = field(default_factory=Tickets)
    #: seconds since the epoch
    now: Callable[[], float] = time.time
    _own_runs: set[str] = field(default_factory=set)
    _own_fine_tunes: set[str] = field(default_factory=set)

    @property
    def fine_tunes(self) -> FineTunes:
        """The part for fine-tunes."""
        return FineTunes(
            *(self.database, self.send, self.tickets, self.leases.is_held),
            *(self.adopts_runs, self.now, self.trainers, self._own_fine_tunes),
        )

    def store_completions(self, generation: Generation) -> Done:
        """Store completions, ask for the verdicts on the new ones, note a failure."""
        with self.database.writing() as connection:
            run = lock_run(connection, generation.run_id)
            challenge = find_challenge(connection, generation.run_id, generation.task_id)
            if run is None or challenge is None:
                log.warning("unknown_challenge", run=generation.run_id, task=generation.task_id)
                return Done()
            admitted = self.tickets.admitted(connection, run, generation)
            if admitted is None:
                return Done()
            outgoing = self._take_completions(connection, run, challenge, admitted)
        dispatcher = self._dispatcher()
        dispatcher.send_all(outgoing)
        dispatcher.refill(Stage.GENERATION, run.source)
        return Done()

    def store_verdicts(self, evaluation: Evaluation) -> Done:
        """Store verdicts, note a failure, and finish the run when nothing is missing."""
        with self.database.writing() as connection:
            run = lock_run(connection, evaluation.run_id)
            there = stored_indices(connection, evaluation.run_id, evaluation.task_id)
            if run is None or not there:
                log.warning("unknown_completions", run=evaluation.run_id, task=evaluation.task_id)
                return Done()
            admitted = self.tickets.admitted(connection, run, evaluation)
            if admitted is None:
                return Done()
            self._take_verdicts(connection, run, there, admitted)
        self._dispatcher().refill(Stage.EVALUATION)
        return Done()

    def reconcile(self, request: Reconcile) -> Done:
        """Look for what is missing and not under way, of one run or of every running one.

        Only a run that is named, or seems to be done, is counted as a whole.
        """
        self.fine_tunes.reconcile(request.fine_tune_id)
        if request.fine_tune_id is not None:
            return Done()
        if request.run_id is not None:
            self._own_runs.add(request.run_id)
            self._reconcile_run(request.run_id, is_named=True)
        else:
            with self.database.reading() as connection:
                running = running_ids(connection)
            for run_id in filter(self._is_ours, running):
                self._reconcile_run(run_id, is_named=False)
        dispatcher = self._dispatcher()
        is_hungry = [dispatcher.refill(stage) for stage in Stage]
        if any(is_hungry) and self.look_again is not None:
            self.look_again()
        return Done()

    def _take_completions(
        self, connection: Connection, run: RunRow, challenge: ChallengeRow, generation: Generation
    ) -> list[Outgoing]:
        there = stored_indices(connection, run.id, challenge.task_id)
        missing = frozenset(range(challenge.planned)) - there
        found = {one.index: one for one in generation.completions if one.index in missing}
        rows = [completion_row(run.id, challenge.task_id, one) for one in found.values()]
        insert_completions(connection, rows)
        drawn = (draw_rows(run.id, challenge.task_id, one) for one in found.values())
        insert_draws(connection, list(chain.from_iterable(drawn)))
        run = self._heard(connection, run, has_news=bool(found))
        problem = None
        if generation.failure is not None:
            problem = Problem(generation.failure, generation.is_transient, generation.attempt)
        attempts = find_attempts(connection, run.id, challenge.task_id)
        arrived = frozenset(found)
        news = News(arrived, missing - arrived, generation.indices, problem)
        sampling = answered(attempts[Stage.GENERATION], news)
        judging = attempts[Stage.EVALUATION]
        outgoing = self._evaluation_at_once(connection, run, judging, rows)
        must_wait = bool(rows) and not outgoing and not judging.is_given_up
        is_waiting = judging.is_waiting or must_wait
        leases = [one.asked for one in outgoing]
        judging = asked_for(judging, leases, self.now(), is_waiting=is_waiting)
        store_attempts(connection, [sampling, judging])
        # completions alone end nothing; a failure may be the last one
        if problem is not None:
            settle(connection, run, self.now())
        return outgoing

    def _evaluation_at_once(
        self,
        connection: Connection,
        run: RunRow,
        attempt: AttemptRow,
        rows: Sequence[CompletionRow],
    ) -> list[Outgoing]:
        """Ask for the verdicts while the texts are at hand: a refill must read them again."""
        if not rows or attempt.is_given_up or run.state != RunState.RUNNING:
            return []
        dispatcher = self._dispatcher()
        grant = dispatcher.grant_for(connection, run)
        if grant is None:
            return []
        return in_order(grant, [dispatcher.evaluation_of(connection, run, attempt, rows)])

    def _take_verdicts(
        self, connection: Connection, run: RunRow, there: frozenset[int], evaluation: Evaluation
    ) -> None:
        task_id = evaluation.task_id
        missing = there - judged_indices(connection, run, task_id)
        final = [one for one in evaluation.judgements if one.index in there and _is_final(one)]
        insert_verdicts(connection, [verdict_row(run, evaluation, one) for one in final])
        is_wanted = evaluation.grader == run.grader
        found = missing & {one.index for one in final if is_wanted}
        run = self._heard(connection, run, has_news=bool(found))
        problem = evaluation_problem(run, evaluation)
        news = News(found, missing - found, evaluation.indices, problem)
        row = find_attempts(connection, run.id, task_id)[Stage.EVALUATION]
        store_attempts(connection, [answered(row, news)])
        settle(connection, run, self.now())

    def _heard(self, connection: Connection, run: RunRow, *, has_news: bool) -> RunRow:
        """Note that somebody answers; a run that was given up comes back with its news."""
        is_back = has_news and run.state == RunState.INCOMPLETE
        now = self.now()
        if not is_back and run.heard_at is not None and 0 <= now - run.heard_at < _HEARD_SECONDS:
            return run
        run = replace(run, heard_at=now, state=RunState.RUNNING if is_back else run.state)
        update_run(connection, run.id, heard_at=run.heard_at, state=run.state)
        return run

    def _reconcile_run(self, run_id: str, *, is_named: bool) -> None:
        is_lost = self._is_lost(run_id)
        with self.database.writing() as connection:
            run = lock_run(connection, run_id)
            if run is None or run.state != RunState.RUNNING:
                return
            if is_lost:
                under_way = unanswered_attempts(connection, run.id)
                store_attempts(connection, self.leases.lost(run, under_way, self.now()))
            if is_named:
                note_missing(connection, run)
            settle(connection, run, self.now())

    def _is_lost(self, run_id: str) -> bool:
        """Whether a run waits for what nobody has; asked without its lock, which others want."""
        with self.database.reading() as connection:
            run = find_run(connection, run_id)
            if run is None or run.state != RunState.RUNNING:
                return False
            under_way = unanswered_attempts(connection, run_id)
        return bool(self.leases.lost(run, under_way, self.now())) and not self.leases.holds(run)

    def _dispatcher(self) -> Dispatcher:
        return Dispatcher(
            self.database, self.send, self.backlog, self._is_ours, self.now, self.tickets
        )

    def _is_ours(self, run_id: str) -> bool:
        return self.adopts_runs or run_id in self._own_runs


def _is_final(one: Judgement) -> bool:
    # what a host did wrong says nothing about the program
    return not one.verdict.outcome.is_ours


def _until_done(action: Callable[[], Answer]) -> Answer:
    """A cluster's controller has nothing better to do than to wait; a laptop's user has."""
    if settings.current().is_embedded:
        return patiently(action, _PATIENCE_SECONDS, (DatabaseUnavailable,), "database_away")
    waits = chain(_PATIENCE_SECONDS, repeat(_PATIENCE_SECONDS[-1]))
    return patiently(action, waits, (DatabaseUnavailable, DiskFull), "database_away")


@cache
def _open(database_url: str, *, is_embedded: bool) -> Controller:
    return Controller(
        open_database(database_url),
        sending.send,
        sending.backlog,
        adopts_runs=not is_embedded,
        look_again=None if is_embedded else _look_again,
        leases=Leases(None if is_embedded else holdings.are_held),
        trainers=None if is_embedded else _trainers,
    )


def _look_again() -> None:
    # worth nothing after the next regular one
    message = RECONCILE.signature(Reconcile())
    sending.send(message.set(countdown=LOOK_AGAIN_SECONDS, expires=RECONCILE_SECONDS))


def _trainers() -> frozenset[str]:
    return workers_of(fine_tuning.QUEUE)


def _controller() -> Controller:
    current = settings.current()
    return _open(current.database_url, is_embedded=current.is_embedded)


@STORE_COMPLETIONS.implement
def store_completions(generation: Generation) -> Done:
    """Store what a model sampled."""
    return _until_done(lambda: _controller().store_completions(generation))


@STORE_VERDICTS.implement
def store_verdicts(evaluation: Evaluation) -> Done:
    """Store what a sandbox found."""
    return _until_done(lambda: _controller().store_verdicts(evaluation))


@STORE_TRAINING.implement
def store_training(news: TrainingNews) -> TrainingOrder:
    """Store what a training tells, and say whether it goes on."""
    return _until_done(lambda: _controller().fine_tunes.store(news))


@JOIN_GANG.implement
def join_gang(report: GangReport) -> GangOrder:
    """Note that a worker is there for a gang, and say what it is to do."""
    return _until_done(lambda: _controller().fine_tunes.gangs.join(report))


@RECONCILE.implement
def reconcile(request: Reconcile) -> Done:
    """Send what is missing."""
    return _until_done(lambda: _controller().reconcile(request))

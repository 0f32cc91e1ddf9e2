"""The controller: stores what workers found, and sends what the database says is missing.

The database is the truth. Messages may be lost, repeated or late, and this process may be killed
between any two statements, so:

- Every store is one transaction that changes nothing when repeated. A run's row is locked first,
  so several controllers take turns.
- What to send is read in the transaction and sent after it. A message that is then lost is found
  by `reconcile`, which compares what is planned with what is there.
- When something was sent is noted as a lease, so that `reconcile` does not ask twice for what is
  under way. A lease ends when the run was silent for LEASE_SECONDS, or somebody resumes it.
- A failure is counted with its reason. MAX_FAILURES of them in a row, with nothing done between
  them, give a challenge up; a permanent one does at once. What a host did wrong is never stored
  as a verdict.
- When nothing is missing that was not given up, the scores are written and the run is finished,
  or incomplete.

A stopped run still stores what arrives, but sends nothing more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from crucible_infra import log, settings
from crucible_infra.database import Database, open_database
from crucible_infra.database.attempts import (
    AttemptRow,
    Stage,
    attempts_of,
    find_attempt,
    release_lease,
    store_attempts,
)
from crucible_infra.database.completions import (
    CompletionRow,
    insert_completions,
    stored_indices,
    unjudged,
)
from crucible_infra.database.counts import challenge_counts, has_open_work
from crucible_infra.database.runs import (
    ChallengeRow,
    RunRow,
    find_challenge,
    lock_run,
    running_ids,
    update_run,
)
from crucible_infra.database.verdicts import insert_verdicts, judged_indices
from crucible_infra.errors import BrokerUnavailable, DatabaseUnavailable
from crucible_tasks import sending
from crucible_tasks.control import RECONCILE, STORE_COMPLETIONS, STORE_VERDICTS, Done, Reconcile
from crucible_tasks.evaluation import Evaluation, Judgement
from crucible_tasks.generation import Generation
from crucible_tasks.planning import RunState
from crucible_workers.control_messages import (
    Outgoing,
    Problem,
    completion_row,
    evaluation_problem,
    evaluation_requests,
    generation_requests,
    verdict_row,
)
from crucible_workers.control_scores import write_scores

if TYPE_CHECKING:
    from celery.canvas import Signature

#: silence after which what was sent counts as lost: longer than any one message should take
#: (8 completions of a live model, or 200 programs), shorter than a person's patience
LEASE_SECONDS = 900.0

_NO_ANSWER = f"no answer within {LEASE_SECONDS / 60:g} minutes"

#: waits between tries while the database is away, in seconds; a restart of Postgres fits in them,
#: and what a model spent minutes on is worth the wait
_PATIENCE_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


@dataclass(frozen=True, slots=True)
class Controller:
    """The hand that writes the database; give it a `send` that collects, and nothing is sent."""

    database: Database
    send: Callable[[Signature], object]
    #: whether to take up runs other processes started; a laptop's run belongs to its command
    adopts_runs: bool = True
    #: seconds since the epoch
    now: Callable[[], float] = time.time
    _own_runs: set[str] = field(default_factory=set)

    def store_completions(self, generation: Generation) -> Done:
        """Store completions, ask for the verdicts on the new ones, note a failure."""
        with self.database.writing() as connection:
            run = lock_run(connection, generation.run_id)
            challenge = find_challenge(connection, generation.run_id, generation.task_id)
            if run is None or challenge is None:
                log.warning("unknown_challenge", run=generation.run_id, task=generation.task_id)
                return Done()
            outgoing = self._take_completions(connection, run, challenge, generation)
        self._send(outgoing)
        return Done()

    def store_verdicts(self, evaluation: Evaluation) -> Done:
        """Store verdicts, note a failure, and finish the run when nothing is missing."""
        with self.database.writing() as connection:
            run = lock_run(connection, evaluation.run_id)
            there = stored_indices(connection, evaluation.run_id, evaluation.task_id)
            if run is None or not there:
                log.warning("unknown_completions", run=evaluation.run_id, task=evaluation.task_id)
                return Done()
            outgoing = self._take_verdicts(connection, run, there, evaluation)
        self._send(outgoing)
        return Done()

    def reconcile(self, request: Reconcile) -> Done:
        """Send what is missing and not under way, of one run or of every running one."""
        if request.run_id is not None:
            self._own_runs.add(request.run_id)
            self._reconcile_run(request.run_id)
            return Done()
        with self.database.reading() as connection:
            running = running_ids(connection)
        for run_id in running:
            if self.adopts_runs or run_id in self._own_runs:
                self._reconcile_run(run_id)
        return Done()

    def _take_completions(
        self, connection: Connection, run: RunRow, challenge: ChallengeRow, generation: Generation
    ) -> list[Outgoing]:
        there = stored_indices(connection, run.id, challenge.task_id)
        missing = frozenset(range(challenge.planned)) - there
        found = {one.index: one for one in generation.completions if one.index in missing}
        rows = [completion_row(run.id, challenge.task_id, one) for one in found.values()]
        insert_completions(connection, rows)
        run = self._heard(connection, run, has_news=bool(found))
        outgoing = self._ask_for_verdicts(connection, run, challenge.task_id, rows)
        attempt = find_attempt(connection, run.id, challenge.task_id, Stage.GENERATION)
        if found:
            attempt = replace(attempt, failures=0)
        missing -= found.keys()
        if generation.failure is not None and missing:
            problem = Problem(generation.failure, generation.is_transient, generation.attempt)
            attempt = self._failed(run, attempt, problem)
            if _may_send(run, attempt):
                again = _again(missing, generation.indices)
                outgoing += generation_requests(run, challenge, again, attempt)
        store_attempts(connection, [attempt])
        # completions alone end nothing; a failure may be the last one
        if generation.failure is not None:
            self._settle(connection, run, challenge.task_id)
        return outgoing

    def _ask_for_verdicts(
        self, connection: Connection, run: RunRow, task_id: str, rows: Sequence[CompletionRow]
    ) -> list[Outgoing]:
        attempt = find_attempt(connection, run.id, task_id, Stage.EVALUATION)
        if not rows or not _may_send(run, attempt):
            return []
        attempt = replace(attempt, sent_at=self.now())
        store_attempts(connection, [attempt])
        return list(evaluation_requests(run, rows, attempt))

    def _take_verdicts(
        self, connection: Connection, run: RunRow, there: frozenset[int], evaluation: Evaluation
    ) -> list[Outgoing]:
        task_id = evaluation.task_id
        missing = there - judged_indices(connection, run, task_id)
        final = [one for one in evaluation.judgements if one.index in there and _is_final(one)]
        insert_verdicts(connection, [verdict_row(run, evaluation, one) for one in final])
        is_wanted = evaluation.grader == run.grader
        found = missing & {one.index for one in final if is_wanted}
        run = self._heard(connection, run, has_news=bool(found))
        attempt = find_attempt(connection, run.id, task_id, Stage.EVALUATION)
        if found:
            attempt = replace(attempt, failures=0)
        missing -= found
        outgoing: list[Outgoing] = []
        problem = evaluation_problem(run, evaluation)
        if problem is not None and missing:
            attempt = self._failed(run, attempt, problem)
            if _may_send(run, attempt):
                again = _again(missing, evaluation.indices)
                rows = [row for row in unjudged(connection, run, task_id) if row.index in again]
                outgoing += evaluation_requests(run, rows, attempt)
        store_attempts(connection, [attempt])
        self._settle(connection, run, task_id)
        return outgoing

    def _heard(self, connection: Connection, run: RunRow, *, has_news: bool) -> RunRow:
        """Note that somebody answers; a run that was given up comes back with its news."""
        is_back = has_news and run.state == RunState.INCOMPLETE
        run = replace(run, heard_at=self.now(), state=RunState.RUNNING if is_back else run.state)
        update_run(connection, run.id, heard_at=run.heard_at, state=run.state)
        return run

    def _failed(self, run: RunRow, attempt: AttemptRow, problem: Problem) -> AttemptRow:
        """The attempt with one more failure, and its lease if it is sent again."""
        # an answer that names its attempt counts once, however often it is delivered, and the
        # batches of one challenge that fail together count as one
        told = attempt.failures if problem.attempt is None else problem.attempt
        attempt = replace(
            attempt,
            failures=max(attempt.failures, told + 1),
            reason=problem.reason,
            is_permanent=attempt.is_permanent or not problem.is_transient,
        )
        return replace(attempt, sent_at=self.now()) if _may_send(run, attempt) else attempt

    def _settle(self, connection: Connection, run: RunRow, task_id: str | None = None) -> None:
        """Write the scores and end the run when nothing is missing that was not given up."""
        if run.state != RunState.RUNNING or has_open_work(connection, run, task_id):
            return
        is_complete = write_scores(connection, run)
        state = RunState.FINISHED if is_complete else RunState.INCOMPLETE
        update_run(connection, run.id, state=state, finished_at=self.now())
        log.info("run_settled", run=run.id, state=state)

    def _reconcile_run(self, run_id: str) -> None:
        with self.database.writing() as connection:
            run = lock_run(connection, run_id)
            if run is None or run.state != RunState.RUNNING:
                return
            claimed = self._claim(connection, run)
            self._settle(connection, run)
        for position, attempt in enumerate(claimed):
            try:
                self._send_missing(run, attempt)
            except BrokerUnavailable:
                self._release(claimed[position:])
                raise

    def _claim(self, connection: Connection, run: RunRow) -> list[AttemptRow]:
        """Take the leases of what is missing and neither under way nor given up."""
        known = attempts_of(connection, run.id)
        seen: list[AttemptRow] = []
        for task_id, stage in _missing_work(connection, run):
            blank = AttemptRow.blank(run.id, task_id, stage)
            attempt = known.get((task_id, stage), blank)
            if attempt.is_given_up or self._is_under_way(run, attempt):
                continue
            if attempt.sent_at is not None:
                attempt = self._failed(run, attempt, Problem(_NO_ANSWER))
            seen.append(replace(attempt, sent_at=self.now()))
        store_attempts(connection, seen)
        return [attempt for attempt in seen if not attempt.is_given_up]

    def _is_under_way(self, run: RunRow, attempt: AttemptRow) -> bool:
        if attempt.sent_at is None:
            return False
        # a busy worker has not got to it yet: only silence tells that a message was lost
        last = max(attempt.sent_at, run.heard_at or 0.0)
        return self.now() - last < LEASE_SECONDS

    def _send_missing(self, run: RunRow, attempt: AttemptRow) -> None:
        with self.database.reading() as connection:
            if attempt.stage == Stage.EVALUATION:
                rows = unjudged(connection, run, attempt.task_id)
                outgoing = list(evaluation_requests(run, rows, attempt))
            else:
                challenge = find_challenge(connection, run.id, attempt.task_id)
                assert challenge is not None
                there = stored_indices(connection, run.id, attempt.task_id)
                missing = sorted(frozenset(range(challenge.planned)) - there)
                outgoing = list(generation_requests(run, challenge, missing, attempt))
        self._send(outgoing)

    def _send(self, outgoing: Sequence[Outgoing]) -> None:
        for position, one in enumerate(outgoing):
            try:
                self.send(one.message)
            except BrokerUnavailable:
                self._release([unsent.attempt for unsent in outgoing[position:]])
                raise

    def _release(self, attempts: Sequence[AttemptRow]) -> None:
        """What could not be sent is not under way: the next reconcile sends it."""
        with self.database.writing() as connection:
            for attempt in attempts:
                release_lease(connection, attempt)


def _missing_work(connection: Connection, run: RunRow) -> Iterator[tuple[str, Stage]]:
    for count in challenge_counts(connection, run):
        if count.generated < count.planned:
            yield count.task_id, Stage.GENERATION
        if count.judged < count.generated:
            yield count.task_id, Stage.EVALUATION


def _may_send(run: RunRow, attempt: AttemptRow) -> bool:
    return run.state == RunState.RUNNING and not attempt.is_given_up


def _is_final(one: Judgement) -> bool:
    # what a host did wrong says nothing about the program
    return not one.verdict.outcome.is_ours


def _again(missing: frozenset[int], asked: Sequence[int]) -> list[int]:
    """What to ask for again: of what was asked, else of everything, what is still missing."""
    return sorted(missing & frozenset(asked) if asked else missing)


def patiently(
    action: Callable[[], Done], waits_seconds: Sequence[float] = _PATIENCE_SECONDS
) -> Done:
    """Do it, and again while the database is away. Raises DatabaseUnavailable in the end."""
    for wait in waits_seconds:
        try:
            return action()
        except DatabaseUnavailable as error:
            log.warning("database_away", problem=error.message, wait_seconds=wait)
            time.sleep(wait)
    return action()


@cache
def _open(database_url: str, *, is_embedded: bool) -> Controller:
    return Controller(open_database(database_url), sending.send, adopts_runs=not is_embedded)


def _controller() -> Controller:
    current = settings.current()
    return _open(current.database_url, is_embedded=current.is_embedded)


@STORE_COMPLETIONS.implement
def store_completions(generation: Generation) -> Done:
    """Store what a model sampled."""
    return patiently(lambda: _controller().store_completions(generation))


@STORE_VERDICTS.implement
def store_verdicts(evaluation: Evaluation) -> Done:
    """Store what a sandbox found."""
    return patiently(lambda: _controller().store_verdicts(evaluation))


@RECONCILE.implement
def reconcile(request: Reconcile) -> Done:
    """Send what is missing."""
    return patiently(lambda: _controller().reconcile(request))

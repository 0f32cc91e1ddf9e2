"""The controller's part for fine-tunes: sends them, stores their steps, registers their models.

A fine-tune is one message at a time. Whoever works on it tells of it every few seconds, and each of
its news must bring the ticket of the last attempt. An attempt ends with an adapter, which is
registered under the fine-tune's name in the same transaction that finishes it, with a failure, with
a stop, or in silence: a message that nobody has any more is lost, and the next attempt is sent.
MAX_FAILURES failures in a row without one further step, or one that cannot pass, give it up.
A fine-tune of several hosts is as many messages, sent and answered for by `control_gangs`; of its
news those of the first member count, and the other ones' failures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Connection

from crucible_infra import log
from crucible_infra.database import Database
from crucible_infra.database.adapters import insert_adapter
from crucible_infra.database.fine_tunes import (
    find_fine_tune,
    last_step,
    lock_fine_tune,
    running_fine_tunes,
    store_steps,
    update_fine_tune,
)
from crucible_infra.errors import BrokerUnavailable
from crucible_infra.fine_tune_rows import AdapterRow, FineTuneRow, StepRow
from crucible_tasks import control
from crucible_tasks.fine_tuning import (
    FINE_TUNE,
    QUEUE,
    FineTuneRequest,
    FineTuneState,
    SavedCheckpoint,
    TrainedAdapter,
    TrainingFailure,
    TrainingNews,
    TrainingOrder,
)
from crucible_tasks.recipe import Recipe
from crucible_workers.control_gangs import Gangs
from crucible_workers.control_leases import LEASE_SECONDS, SILENT_SECONDS, IsHeld
from crucible_workers.control_proofs import begin_proof
from crucible_workers.control_tickets import Tickets
from crucible_workers.control_training_rows import failed, rested, write_row

if TYPE_CHECKING:
    from celery.canvas import Signature

_LOST = TrainingFailure("no answer: the message was lost", is_transient=True)


@dataclass(frozen=True, slots=True)
class FineTunes:
    """The hand that writes fine-tunes; see `Controller` for the fields they share."""

    database: Database
    send: Callable[[Signature], object]
    tickets: Tickets
    is_held: IsHeld | None
    adopts: bool
    #: seconds since the epoch
    now: Callable[[], float]
    #: the names of the workers that train now; None where nobody can tell
    trainers: Callable[[], frozenset[str]] | None = None
    _own: set[str] = field(default_factory=set)

    @property
    def gangs(self) -> Gangs:
        """The part for fine-tunes of several hosts."""
        return Gangs(self.database, self.send, self.tickets, self.trainers, self.now)

    def store(self, news: TrainingNews) -> TrainingOrder:
        """Store what a training tells; the answer says whether it goes on."""
        with self.database.writing() as connection:
            row = lock_fine_tune(connection, news.fine_tune_id)
            if row is None or not self._is_admitted(connection, row, news):
                log.warning("training_refused", fine_tune=news.fine_tune_id, host=news.host)
                return TrainingOrder(goes_on=False, is_over=True)
            row = self._taken(connection, row, news)
            write_row(connection, row)
        if row.sent_at is None:
            self.look_after(row.id)
        goes_on = row.state == FineTuneState.RUNNING and row.sent_at is not None
        return TrainingOrder(goes_on, tuple(SavedCheckpoint(*one) for one in row.checkpoints))

    def reconcile(self, fine_tune_id: str | None) -> None:
        """Send what is not under way, of one fine-tune or all. Raises BrokerUnavailable."""
        if fine_tune_id is not None:
            self._own.add(fine_tune_id)
        with self.database.reading() as connection:
            running = running_fine_tunes(connection)
        for one in running:
            if self.adopts or one in self._own:
                self.look_after(one)

    def look_after(self, fine_tune_id: str) -> None:
        """Send the next attempt where none is under way. Raises BrokerUnavailable."""
        problem = self._problem(fine_tune_id)
        with self.database.writing() as connection:
            row = lock_fine_tune(connection, fine_tune_id)
            if row is not None and row.sent_at is not None and problem is not None:
                row = failed(row, problem, self.now())
            if row is None:
                return
            is_gang = row.hosts > 1
            is_due = row.state == FineTuneState.RUNNING and row.sent_at is None and not is_gang
            if is_due:
                row = replace(row, attempt=row.attempt + 1, sent_at=self.now())
            write_row(connection, row)
            ticket = self.tickets.for_training(connection, row.id, row.attempt)
        if is_gang:
            self.gangs.gather_next()
        elif is_due:
            self._send(row, ticket)

    def _send(self, row: FineTuneRow, ticket: int) -> None:
        recipe = msgspec.convert(row.recipe, Recipe)
        request = FineTuneRequest(row.id, row.base, row.corpus, recipe, ticket)
        try:
            self.send(FINE_TUNE.signature(request))
        except BrokerUnavailable:
            with self.database.writing() as connection:
                update_fine_tune(connection, row.id, sent_at=None)
            raise

    def _is_admitted(self, connection: Connection, row: FineTuneRow, news: TrainingNews) -> bool:
        attempt = self.tickets.admitted_training(connection, row.id, news.attempt, news.member)
        is_right = attempt == row.attempt and (news.member is None) == (row.hosts == 1)
        return is_right and (row.hosts == 1 or self.gangs.hears(connection, row, news))

    def _taken(self, connection: Connection, row: FineTuneRow, news: TrainingNews) -> FineTuneRow:
        """The row after these news; steps and adapter are stored."""
        is_further = any(step.step > last_step(connection, row.id) for step in news.steps)
        steps = [StepRow(row.id, **msgspec.to_builtins(step)) for step in news.steps]
        store_steps(connection, steps)
        row = replace(
            row,
            heard_at=self.now(),
            host=row.host if news.member else news.host or row.host,
            failures=0 if is_further else row.failures,
            notes=list(dict.fromkeys((*row.notes, *news.notes))),
        )
        if news.checkpoints is not None:
            row = replace(row, checkpoints=[[one.name, one.digest] for one in news.checkpoints])
        if news.adapter is not None:
            return self._finished(connection, row, news.adapter)
        if news.failure is not None:
            return failed(row, news.failure, self.now())
        return rested(row) if news.has_stopped else row

    def _finished(
        self, connection: Connection, row: FineTuneRow, adapter: TrainedAdapter
    ) -> FineTuneRow:
        """Register the model; one that was stopped just too late is as good."""
        if row.state not in (FineTuneState.RUNNING, FineTuneState.STOPPED):
            return rested(row)
        record = adapter.record
        insert_adapter(
            connection,
            AdapterRow(
                name=row.name,
                fine_tune_id=row.id,
                base=row.base,
                artifact=adapter.digest,
                is_whole=not record.recipe.trains_adapter,
                record=msgspec.to_builtins(record),
                created_at=self.now(),
            ),
        )
        begin_proof(connection, row, self.now(), starts=self.adopts)
        return replace(
            rested(row),
            state=FineTuneState.FINISHED,
            checkpoints=[],
            finished_at=self.now(),
        )

    def _problem(self, fine_tune_id: str) -> TrainingFailure | None:
        """What has ended an attempt in silence; asked without its lock, because Redis is asked."""
        with self.database.reading() as connection:
            row = find_fine_tune(connection, fine_tune_id)
        if row is None or row.sent_at is None:
            return None
        if row.begun_at is not None and (missed := self.gangs.missed(row)):
            return missed
        return _LOST if self._is_lost(row) else None

    def _is_lost(self, row: FineTuneRow) -> bool:
        """Whether its messages are nowhere."""
        silent = self.now() - max(row.sent_at or 0.0, row.heard_at or 0.0)
        if self.is_held is None:
            return silent >= LEASE_SECONDS
        is_doubtful = silent >= SILENT_SECONDS
        return is_doubtful and not self.is_held(row.id, frozenset((QUEUE, control.QUEUE)))

"""The controller's part for fine-tunes: sends them, stores their steps, registers their models.

A fine-tune is one message at a time. Whoever works on it tells of it every few seconds, and each of
its news must bring the ticket of the last attempt. An attempt ends with an adapter, which is
registered under the fine-tune's name in the same transaction that finishes it, with a failure, with
a stop, or in silence: a message that nobody has any more is lost, and the next attempt is sent.
MAX_FAILURES failures in a row without one further step, or one that cannot pass, give it up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Connection

from crucible_infra import log
from crucible_infra.database import Database
from crucible_infra.database.adapters import AdapterRow, insert_adapter
from crucible_infra.database.attempts import MAX_FAILURES
from crucible_infra.database.fine_tunes import (
    FineTuneRow,
    StepRow,
    find_fine_tune,
    last_step,
    lock_fine_tune,
    running_fine_tunes,
    store_steps,
    update_fine_tune,
)
from crucible_infra.errors import BrokerUnavailable
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
from crucible_workers.control_leases import LEASE_SECONDS, SILENT_SECONDS, IsHeld
from crucible_workers.control_proofs import begin_proof
from crucible_workers.control_tickets import Tickets

if TYPE_CHECKING:
    from celery.canvas import Signature

_LOST = TrainingFailure("no answer: the message was lost", is_transient=True)

#: the columns that news change
_CHANGING = (
    "state",
    "attempt",
    "failures",
    "reason",
    "exit_code",
    "host",
    "checkpoints",
    "notes",
    "sent_at",
    "heard_at",
    "finished_at",
)


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
    _own: set[str] = field(default_factory=set)

    def store(self, news: TrainingNews) -> TrainingOrder:
        """Store what a training tells; the answer says whether it goes on."""
        with self.database.writing() as connection:
            row = lock_fine_tune(connection, news.fine_tune_id)
            if row is None or not self._is_admitted(connection, row, news):
                log.warning("training_refused", fine_tune=news.fine_tune_id, host=news.host)
                return TrainingOrder(goes_on=False)
            row = self._taken(connection, row, news)
            _write(connection, row)
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
        is_lost = self._is_lost(fine_tune_id)
        with self.database.writing() as connection:
            row = lock_fine_tune(connection, fine_tune_id)
            if row is not None and row.sent_at is not None and is_lost:
                row = self._failed(row, _LOST)
            if row is None:
                return
            is_due = row.state == FineTuneState.RUNNING and row.sent_at is None
            if is_due:
                row = replace(row, attempt=row.attempt + 1, sent_at=self.now())
            _write(connection, row)
            ticket = self.tickets.for_training(connection, row.id, row.attempt)
        if is_due:
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
        attempt = self.tickets.admitted_training(connection, row.id, news.attempt)
        return attempt == row.attempt

    def _taken(self, connection: Connection, row: FineTuneRow, news: TrainingNews) -> FineTuneRow:
        """The row after these news; steps and adapter are stored."""
        is_further = any(step.step > last_step(connection, row.id) for step in news.steps)
        steps = [StepRow(row.id, **msgspec.to_builtins(step)) for step in news.steps]
        store_steps(connection, steps)
        row = replace(
            row,
            heard_at=self.now(),
            host=news.host or row.host,
            failures=0 if is_further else row.failures,
            notes=list(dict.fromkeys((*row.notes, *news.notes))),
        )
        if news.checkpoints is not None:
            row = replace(row, checkpoints=[[one.name, one.digest] for one in news.checkpoints])
        if news.adapter is not None:
            return self._finished(connection, row, news.adapter)
        if news.failure is not None:
            return self._failed(row, news.failure)
        return replace(row, sent_at=None) if news.has_stopped else row

    def _finished(
        self, connection: Connection, row: FineTuneRow, adapter: TrainedAdapter
    ) -> FineTuneRow:
        """Register the model; one that was stopped just too late is as good."""
        if row.state not in (FineTuneState.RUNNING, FineTuneState.STOPPED):
            return replace(row, sent_at=None)
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
            row,
            state=FineTuneState.FINISHED,
            sent_at=None,
            checkpoints=[],
            finished_at=self.now(),
        )

    def _failed(self, row: FineTuneRow, failure: TrainingFailure) -> FineTuneRow:
        row = replace(
            row,
            failures=row.failures + 1,
            reason=failure.reason,
            exit_code=failure.exit_code,
            sent_at=None,
        )
        is_over = not failure.is_transient or row.failures >= MAX_FAILURES
        if is_over and row.state == FineTuneState.RUNNING:
            row = replace(row, state=FineTuneState.FAILED, finished_at=self.now())
        return row

    def _is_lost(self, fine_tune_id: str) -> bool:
        """Whether its message is nowhere; asked without its lock, because Redis is asked too."""
        with self.database.reading() as connection:
            row = find_fine_tune(connection, fine_tune_id)
        if row is None or row.sent_at is None:
            return False
        silent = self.now() - max(row.sent_at, row.heard_at or 0.0)
        if self.is_held is None:
            return silent >= LEASE_SECONDS
        is_doubtful = silent >= SILENT_SECONDS
        return is_doubtful and not self.is_held(row.id, frozenset((QUEUE, control.QUEUE)))


def _write(connection: Connection, row: FineTuneRow) -> None:
    update_fine_tune(connection, row.id, **{name: getattr(row, name) for name in _CHANGING})

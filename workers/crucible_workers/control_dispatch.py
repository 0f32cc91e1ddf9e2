"""Sends what waits in the database, as much as the window has room for.

A refill looks at the running runs, shares the room out, and then takes each run's lock, writes the
leases of what it is about to send, commits, and sends. Killed in between, it leaves leases of
messages that do not exist: silence ends those. A broker that refuses a message ends its lease at
once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from crucible_infra.database import Database
from crucible_infra.database.attempts import (
    AttemptRow,
    find_attempts,
    store_attempts,
    waiting_attempts,
)
from crucible_infra.database.completions import CompletionRow, find_completions, stored_indices
from crucible_infra.database.live_runs import LiveRun, live_runs
from crucible_infra.database.runs import ChallengeRow, RunRow, find_challenge, lock_run
from crucible_infra.database.verdicts import judged_indices
from crucible_infra.errors import BrokerUnavailable
from crucible_infra.stage import Stage
from crucible_tasks.planning import MESSAGE_COMPLETIONS, RunState, batches
from crucible_workers.control_attempts import asked_for, not_sent
from crucible_workers.control_lanes import Lane, place_of
from crucible_workers.control_messages import (
    Outgoing,
    evaluation_message,
    generation_message,
    in_order,
)
from crucible_workers.control_schedule import Contender, Grant, share_out
from crucible_workers.control_settling import settle
from crucible_workers.control_tickets import Tickets
from crucible_workers.control_window import LEAST_EVALUATIONS, LEAST_WAITING, room

if TYPE_CHECKING:
    from celery.canvas import Signature


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the running runs found."""

    grants: tuple[Grant, ...] = ()
    #: whether workers that have not answered yet took all there was: there may be more of them
    is_hungry: bool = False


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """The hand of the controller that sends; it keeps nothing between two refills."""

    database: Database
    send: Callable[[Signature], object]
    #: how many messages of a queue wait in the broker
    backlog: Callable[[str], int]
    #: whose work is sent; see `Controller.adopts_runs`
    is_ours: Callable[[str], bool]
    #: seconds since the epoch
    now: Callable[[], float]
    tickets: Tickets

    def refill(self, stage: Stage, source: str | None = None) -> bool:
        """Fill the windows of a stage, or only the one this model's messages belong to.

        Returns whether to look again soon. Raises BrokerUnavailable.
        """
        lane = None if source is None else place_of(source, stage).lane
        is_hungry = False
        while True:
            with self.database.reading() as connection:
                look = self._look(live_runs(connection, stage), stage, lane)
            is_hungry |= look.is_hungry
            sent = sum(self._send_of(stage, grant) for grant in look.grants)
            # a run may have had less than it seemed; whoever else waits gets the rest
            if sent >= sum(grant.messages for grant in look.grants):
                return is_hungry

    def grant_for(self, connection: Connection, run: RunRow) -> Grant | None:
        """Whether an evaluation of this run may be sent at once, and how."""
        runs = live_runs(connection, Stage.EVALUATION)
        runs = tuple(replace(one, is_waiting=True) if one.id == run.id else one for one in runs)
        try:
            look = self._look(runs, Stage.EVALUATION, None)
        except BrokerUnavailable:
            # what arrived is stored all the same
            return None
        return next((grant for grant in look.grants if grant.run_id == run.id), None)

    def evaluation_of(
        self, connection: Connection, run: RunRow, row: AttemptRow, rows: Sequence[CompletionRow]
    ) -> Outgoing:
        """The message that asks for the verdicts on these completions of one challenge."""
        indices = tuple(one.index for one in rows)
        return evaluation_message(run, row, rows, self.tickets.issue(connection, run, row, indices))

    def send_all(self, outgoing: Sequence[Outgoing]) -> None:
        """Send messages whose leases are written. Raises BrokerUnavailable."""
        for position, one in enumerate(outgoing):
            try:
                self.send(one.message)
            except BrokerUnavailable:
                self._release(outgoing[position:])
                raise

    def _look(self, runs: Sequence[LiveRun], stage: Stage, wanted: Lane | None) -> Look:
        lanes: dict[Lane, list[tuple[Contender, str]]] = {}
        for run in runs:
            place = place_of(run.source, stage) if _is_open(run) else None
            if place and wanted in (None, place.lane) and self.is_ours(run.id):
                contender = _contender(run, place.model)
                lanes.setdefault(place.lane, []).append((contender, place.queue))
        looks = [self._look_at(lane, found) for lane, found in lanes.items()]
        grants = tuple(grant for look in looks for grant in look.grants)
        return Look(grants, any(look.is_hungry for look in looks))

    def _look_at(self, lane: Lane, found: Sequence[tuple[Contender, str]]) -> Look:
        contenders = [contender for contender, _ in found]
        if not any(one.is_waiting for one in contenders):
            return Look()
        backlog = sum(map(self.backlog, {queue for _, queue in found}))
        least = LEAST_WAITING if lane.server else LEAST_EVALUATIONS
        free = room(sum(one.unanswered for one in contenders), backlog, least)
        grants = share_out(contenders, free, self.now())
        is_unheard = not any(one.was_heard for one in contenders)
        return Look(grants, bool(grants) and backlog == 0 and is_unheard)

    def _send_of(self, stage: Stage, grant: Grant) -> int:
        """Send up to that many messages of a run; returns how many there were."""
        with self.database.writing() as connection:
            run = lock_run(connection, grant.run_id)
            if run is None or run.state != RunState.RUNNING:
                return 0
            outgoing = in_order(grant, self._lease(connection, run, stage, grant.messages))
            if not outgoing:
                # nothing was missing: that may have been all
                settle(connection, run, self.now())
        self.send_all(outgoing)
        return len(outgoing)

    def _lease(
        self, connection: Connection, run: RunRow, stage: Stage, most: int
    ) -> list[Outgoing]:
        """Write the leases of up to `most` messages, which are still to be sent."""
        rows: list[AttemptRow] = []
        outgoing: list[Outgoing] = []
        for row in waiting_attempts(connection, run.id, stage, most):
            free = most - len(outgoing)
            if not free:
                break
            due = _due(connection, run, row)
            size = run.batch if stage is Stage.GENERATION else MESSAGE_COMPLETIONS
            chosen = tuple(batches(due, size))[:free]
            messages = self._messages(connection, run, row, chosen)
            outgoing += messages
            is_waiting = sum(map(len, chosen)) < len(due)
            leases = [one.asked for one in messages]
            rows.append(asked_for(row, leases, self.now(), is_waiting=is_waiting))
        store_attempts(connection, rows)
        return outgoing

    def _messages(
        self,
        connection: Connection,
        run: RunRow,
        row: AttemptRow,
        chosen: Sequence[tuple[int, ...]],
    ) -> list[Outgoing]:
        if not chosen:
            return []
        if row.stage == Stage.EVALUATION:
            texts = (find_completions(connection, run.id, row.task_id, one) for one in chosen)
            return [self.evaluation_of(connection, run, row, rows) for rows in texts]
        challenge = _challenge(connection, row)
        tickets = (self.tickets.issue(connection, run, row, one) for one in chosen)
        return [
            generation_message(run, challenge, row, indices, ticket)
            for indices, ticket in zip(chosen, tickets, strict=True)
        ]

    def _release(self, outgoing: Sequence[Outgoing]) -> None:
        """What could not be sent is not under way: the next refill sends it."""
        with self.database.writing() as connection:
            for one in outgoing:
                row = one.attempt
                lock_run(connection, row.run_id)
                found = find_attempts(connection, row.run_id, row.task_id)[Stage(row.stage)]
                store_attempts(connection, [not_sent(found, one.asked)])


def _due(connection: Connection, run: RunRow, row: AttemptRow) -> list[int]:
    """What is missing and not under way, nor given up; the facts decide, whatever the row says."""
    if row.is_given_up:
        return []
    there = stored_indices(connection, run.id, row.task_id)
    if row.stage == Stage.EVALUATION:
        missing = there - judged_indices(connection, run, row.task_id)
    else:
        missing = frozenset(range(_challenge(connection, row).planned)) - there
    return sorted(missing - row.indices_asked)


def _challenge(connection: Connection, row: AttemptRow) -> ChallengeRow:
    found = find_challenge(connection, row.run_id, row.task_id)
    # an attempt's row refers to it
    assert found is not None
    return found


def _is_open(run: LiveRun) -> bool:
    return run.is_waiting or run.messages > 0


def _contender(run: LiveRun, model: str) -> Contender:
    return Contender(
        run_id=run.id,
        group=run.sweep_id or run.id,
        priority=run.priority,
        model=model,
        is_waiting=run.is_waiting,
        unanswered=run.messages,
        was_heard=run.was_heard,
    )

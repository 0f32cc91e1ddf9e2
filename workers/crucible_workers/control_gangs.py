"""The controller's gangs: which may gather hosts, when one begins, when it gives them back.

A fine-tune of N hosts begins on all of them or on none. Its N messages wait in the same queue as
everybody's; whoever takes one holds a host and reports every second, and its seat is written down
here, because the database is the truth and workers know nothing of each other. What follows from
these rules is that hosts are never held for ever:

- **One gang gathers at a time.** Two that each hold what the other lacks cannot be: the second is
  not even sent before the first has begun or given back. Cheaper than letting the younger give way
  to the older: no hosts are held for nothing, and there is nothing to detect.
- **All or nothing, in one transaction.** When every seat is taken by a worker that was heard within
  the last seconds, the gang has begun. An answer that got lost is given again.
- **A limit.** It runs from the first worker that waits (a gang that holds nobody costs nobody
  anything). When it is over, all are sent away, and what waits in the queue goes first: fine-tunes
  of one host wait no longer than that limit. Then it is the turn of the gang that has been without
  one for longest.
- **The limit doubles** each time, up to a day. Workers take messages in their order, so a gang
  waits for no more than what runs already; once its limit is longer than that takes, it comes
  together, however many others are sent meanwhile.
- **Nobody waits for hosts that are not there.** A gang larger than the number of workers on the
  roster is not sent, and says so.

A gang that has begun ends as a whole. Whatever ends one member ends the attempt: its failure, its
stop, its silence where the roster has lost its worker, or another worker that was given its
message. What the other members are told next is that it is over, and the next attempt gathers
anew, from the last whole checkpoint in the store.

Messages of an attempt that is over are not looked for in the queue. Who takes one is sent away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Connection

from crucible_infra import log
from crucible_infra.database import Database
from crucible_infra.database.fine_tunes import lock_fine_tune, lock_waiting_gangs, update_fine_tune
from crucible_infra.database.gang_seats import (
    GangSeat,
    clear_seats,
    hear_seat,
    seats_of,
    take_seat,
)
from crucible_infra.errors import BrokerUnavailable
from crucible_infra.fine_tune_rows import FineTuneRow
from crucible_tasks.fine_tuning import (
    FINE_TUNE,
    FineTuneRequest,
    FineTuneState,
    SavedCheckpoint,
    TrainingFailure,
    TrainingNews,
)
from crucible_tasks.gang import GangOrder, GangReport, GangWord
from crucible_tasks.recipe import Recipe
from crucible_workers.control_leases import SILENT_SECONDS
from crucible_workers.control_tickets import Tickets
from crucible_workers.control_training_rows import failed, rested, write_row

if TYPE_CHECKING:
    from celery.canvas import Signature

#: seconds that hosts wait for others of their gang: those that are idle come within a few, and a
#: worker that was started again, or an end of another training that is near, within minutes
GATHER_SECONDS = 300.0

#: the longest that the limit grows to; hosts that idle for longer are dearer than any gang's wait
MOST_GATHER_SECONDS = 86_400.0

#: seconds within which a waiting worker must have been heard: it reports every second, and an
#: answer may take five
FRESH_SECONDS = 10.0

_GO = GangOrder(GangWord.GO)

_WAIT = GangOrder(GangWord.WAIT)


@dataclass(frozen=True, slots=True)
class Gangs:
    """The hand that gathers; see `FineTunes` for the fields they share."""

    database: Database
    send: Callable[[Signature], object]
    tickets: Tickets
    #: the names of the workers that train now; None where nobody can tell
    trainers: Callable[[], frozenset[str]] | None
    now: Callable[[], float]

    def join(self, report: GangReport) -> GangOrder:
        """Note that a worker is there, and say what it is to do. Raises BrokerUnavailable."""
        with self.database.writing() as connection:
            row = lock_fine_tune(connection, report.fine_tune_id)
            if row is None or not self._is_admitted(connection, row, report):
                return _GO
            before = row
            row, order = self._answer(connection, row, report)
            write_row(connection, row)
        if not row.is_gathering and row != before:
            self.gather_next()
        return order

    def gather_next(self) -> None:
        """Send the next gang, unless one gathers already. Raises BrokerUnavailable."""
        count = None if self.trainers is None else len(self.trainers())
        with self.database.writing() as connection:
            waiting = lock_waiting_gangs(connection)
            gathering = next((row for row in waiting if row.is_gathering), None)
            chosen = gathering or _next(waiting, count)
            for row in waiting:
                if row is not chosen:
                    _wait_for(connection, row, _why(row, chosen, count))
            if chosen is None or gathering is not None:
                return
            clear_seats(connection, chosen.id)
            chosen = replace(
                chosen,
                attempt=chosen.attempt + 1,
                sent_at=self.now(),
                waits_for=f"{chosen.hosts} of {chosen.hosts} hosts",
            )
            write_row(connection, chosen)
            requests = self._requests(connection, chosen)
        self._send(chosen, requests)

    def hears(self, connection: Connection, row: FineTuneRow, news: TrainingNews) -> bool:
        """Whether news come from who sits there; notes that they came."""
        if row.begun_at is None:
            return False
        # parked: nobody is left to sit there
        if news.token is None:
            return news.failure is not None
        seats = seats_of(connection, row.id)
        own = next((seat for seat in seats if seat.member == news.member), None)
        if own is None or own.token != news.token:
            return False
        hear_seat(connection, own, self.now())
        return True

    def missed(self, row: FineTuneRow) -> TrainingFailure | None:
        """Why a gang that has begun is broken, if a member has vanished. Raises BrokerUnavailable.

        Silence alone says nothing: it may be fetching weights, or this controller was away.
        """
        if self.trainers is None:
            return None
        with self.database.reading() as connection:
            seats = seats_of(connection, row.id)
        silent = [one for one in seats if self.now() - one.heard_at >= SILENT_SECONDS]
        there = self.trainers() if silent else frozenset()
        gone = [one for one in silent if one.worker not in there]
        return _vanished(gone[0]) if gone else None

    def _is_admitted(self, connection: Connection, row: FineTuneRow, report: GangReport) -> bool:
        is_wanted = row.state == FineTuneState.RUNNING and row.sent_at is not None
        attempt = self.tickets.admitted_training(connection, row.id, report.attempt, report.member)
        return is_wanted and attempt == row.attempt

    def _answer(
        self, connection: Connection, row: FineTuneRow, report: GangReport
    ) -> tuple[FineTuneRow, GangOrder]:
        seats = {seat.member: seat for seat in seats_of(connection, row.id)}
        own = seats.get(report.member)
        if row.begun_at is not None:
            if own is None or own.token == report.token:
                # the answer was lost
                return row, _beginning(row, seats[0])
            # this message was somebody's who is taken for dead
            return failed(row, _vanished(own), self.now()), _GO
        now = self.now()
        if own is None or own.token == report.token or not self._is_fresh(own):
            seats[report.member] = _seat(report, now if own is None else own.since, now)
            take_seat(connection, seats[report.member])
        taken = [seats[member] for member in sorted(seats)]
        return self._counted(replace(row, heard_at=now), taken)

    def _counted(
        self, row: FineTuneRow, seats: Sequence[GangSeat]
    ) -> tuple[FineTuneRow, GangOrder]:
        """What so many workers come to: a gang, a wait, or the end of one."""
        now = self.now()
        count = sum(map(self._is_fresh, seats))
        if count == row.hosts:
            if problem := _unreachable(seats):
                return failed(row, problem, now), _GO
            row = replace(row, begun_at=now, waits_for=None, given_back=0, gave_back_at=None)
            return row, _beginning(row, seats[0])
        if now - min(one.since for one in seats) >= _limit(row):
            log.info("gang_gave_back", fine_tune=row.id, hosts=count)
            row = replace(rested(row), given_back=row.given_back + 1, gave_back_at=now)
            return row, _GO
        return replace(row, waits_for=f"{row.hosts - count} of {row.hosts} hosts"), _WAIT

    def _is_fresh(self, seat: GangSeat) -> bool:
        return self.now() - seat.heard_at < FRESH_SECONDS

    def _requests(self, connection: Connection, row: FineTuneRow) -> list[FineTuneRequest]:
        recipe = msgspec.convert(row.recipe, Recipe)
        return [
            FineTuneRequest(
                *(row.id, row.base, row.corpus, recipe),
                attempt=self.tickets.for_training(connection, row.id, row.attempt, member),
                member=member,
            )
            for member in range(row.hosts)
        ]

    def _send(self, row: FineTuneRow, requests: Sequence[FineTuneRequest]) -> None:
        try:
            for request in requests:
                self.send(FINE_TUNE.signature(request))
        except BrokerUnavailable:
            with self.database.writing() as connection:
                update_fine_tune(connection, row.id, sent_at=None)
            raise


def _next(waiting: Sequence[FineTuneRow], count: int | None) -> FineTuneRow | None:
    """Whose turn it is: who has been without one for longest."""
    able = [row for row in waiting if count is None or row.hosts <= count]
    turns = {row.id: max(row.created_at, row.gave_back_at or 0.0) for row in able}
    return min(able, key=lambda row: (turns[row.id], row.id), default=None)


def _why(row: FineTuneRow, chosen: FineTuneRow | None, count: int | None) -> str:
    if chosen is not None and (count is None or row.hosts <= count):
        return f"its turn: {chosen.name} gathers {chosen.hosts} hosts"
    return f"{row.hosts} hosts: there are {count}"


def _wait_for(connection: Connection, row: FineTuneRow, text: str) -> None:
    # looked at every few seconds, and seldom another
    if row.waits_for != text:
        update_fine_tune(connection, row.id, waits_for=text)


def _seat(report: GangReport, since: float, now: float) -> GangSeat:
    return GangSeat(
        report.fine_tune_id,
        report.member,
        report.token,
        report.worker,
        report.host,
        report.address,
        report.port,
        since,
        now,
    )


def _beginning(row: FineTuneRow, first: GangSeat) -> GangOrder:
    checkpoints = tuple(SavedCheckpoint(*one) for one in row.checkpoints)
    return GangOrder(GangWord.BEGIN, row.hosts, first.address, first.port, checkpoints)


def _vanished(seat: GangSeat) -> TrainingFailure:
    return TrainingFailure(f"the host {seat.host} was lost", is_transient=True)


def _unreachable(seats: Sequence[GangSeat]) -> TrainingFailure | None:
    """What is wrong where one of several hosts has told an address that only itself can reach."""
    own = [one for one in seats if one.address.startswith("127.")]
    if not own or len(own) == len(seats):
        return None
    return TrainingFailure(
        f"the other hosts cannot reach {own[0].host} at {own[0].address} "
        "(CRUCIBLE_BROKER_URL must name the broker there as the others reach it)",
        is_transient=False,
    )


def _limit(row: FineTuneRow) -> float:
    # doubling overflows where nobody would wait so long
    return min(GATHER_SECONDS * 2.0 ** min(row.given_back, 32), MOST_GATHER_SECONDS)

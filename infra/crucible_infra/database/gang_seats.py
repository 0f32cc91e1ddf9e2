"""Rows of gangs' seats: which worker is which member of a gang, and when it was last heard."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, delete, select, update

from crucible_infra.database.tables import gang_seats
from crucible_infra.database.upsert import insert_or_update


@dataclass(frozen=True, slots=True)
class GangSeat:
    """One member of a gang; see `tables.gang_seats` for what the columns mean."""

    fine_tune_id: str
    member: int
    token: str
    worker: str | None
    host: str
    address: str
    port: int
    since: float
    heard_at: float


def seats_of(connection: Connection, fine_tune_id: str) -> tuple[GangSeat, ...]:
    """The seats that are taken, in the order of the members."""
    query = (
        select(gang_seats)
        .where(gang_seats.c.fine_tune_id == fine_tune_id)
        .order_by(gang_seats.c.member)
    )
    return tuple(GangSeat(**row) for row in connection.execute(query).mappings())


def take_seat(connection: Connection, seat: GangSeat) -> None:
    """Sit there, in place of whoever did."""
    columns = tuple(name for name in GangSeat.__slots__ if name not in ("fine_tune_id", "member"))
    insert_or_update(connection, gang_seats, [msgspec.to_builtins(seat)], columns)


def hear_seat(connection: Connection, seat: GangSeat, now: float) -> None:
    """Note that its worker was heard."""
    query = update(gang_seats).where(
        gang_seats.c.fine_tune_id == seat.fine_tune_id, gang_seats.c.member == seat.member
    )
    connection.execute(query.values(heard_at=now))


def clear_seats(connection: Connection, fine_tune_id: str) -> None:
    """Let all of a gang go."""
    connection.execute(delete(gang_seats).where(gang_seats.c.fine_tune_id == fine_tune_id))

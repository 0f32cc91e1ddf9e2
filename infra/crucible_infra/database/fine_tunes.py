"""Rows of fine-tunes and of the steps of their training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy
from sqlalchemy import Connection, Select, func, or_, select

from crucible_infra.database.tables import adapters, fine_tunes, training_steps
from crucible_infra.database.upsert import insert_or_update
from crucible_infra.fine_tune_rows import FineTuneRow, StepRow


def insert_fine_tune(connection: Connection, row: FineTuneRow) -> None:
    """Add a fine-tune that is not there yet."""
    connection.execute(fine_tunes.insert(), [msgspec.to_builtins(row)])


def find_fine_tune(connection: Connection, fine_tune_id: str) -> FineTuneRow | None:
    """The fine-tune with exactly this id."""
    return _first(connection, select(fine_tunes).where(fine_tunes.c.id == fine_tune_id))


def lock_fine_tune(connection: Connection, fine_tune_id: str) -> FineTuneRow | None:
    """The fine-tune, with no other writer at work on it until the transaction ends."""
    query = select(fine_tunes).where(fine_tunes.c.id == fine_tune_id)
    return _first(connection, query.with_for_update())


def holder_of(connection: Connection, name: str) -> FineTuneRow | None:
    """The fine-tune that this name belongs to; one that has failed holds none."""
    query = select(fine_tunes).where(fine_tunes.c.name == name, fine_tunes.c.state != "failed")
    return _first(connection, query)


def matching_fine_tunes(connection: Connection, text: str, limit: int) -> tuple[FineTuneRow, ...]:
    """Those with this name, or whose id or its random end begins with this text; newest first."""
    query = select(fine_tunes).where(
        or_(
            fine_tunes.c.name == text,
            fine_tunes.c.id.startswith(text, autoescape=True),
            fine_tunes.c.id.contains(f"-{text}", autoescape=True),
        )
    )
    return _newest(connection, query, limit)


def newest_fine_tunes(connection: Connection, limit: int) -> tuple[FineTuneRow, ...]:
    """The last ones planned, newest first."""
    return _newest(connection, select(fine_tunes), limit)


def running_fine_tunes(connection: Connection) -> tuple[str, ...]:
    """The ids of those that want to be trained, oldest first."""
    query = (
        select(fine_tunes.c.id)
        .where(fine_tunes.c.state == "running")
        .order_by(fine_tunes.c.created_at, fine_tunes.c.id)
    )
    return tuple(connection.scalars(query))


def lock_waiting_gangs(connection: Connection) -> tuple[FineTuneRow, ...]:
    """The gangs that want to be trained and have not begun, each locked, in the order of ids.

    Whoever locks several fine-tunes does so here, so that no two wait for each other.
    """
    query = (
        select(fine_tunes)
        .where(
            fine_tunes.c.state == "running",
            fine_tunes.c.hosts > 1,
            fine_tunes.c.begun_at.is_(None),
        )
        .order_by(fine_tunes.c.id)
        .with_for_update()
    )
    return tuple(FineTuneRow(**row) for row in connection.execute(query).mappings())


def update_fine_tune(connection: Connection, fine_tune_id: str, **values: object) -> None:
    """Change some columns of a fine-tune."""
    query = sqlalchemy.update(fine_tunes).where(fine_tunes.c.id == fine_tune_id)
    connection.execute(query.values(**values))


def delete_fine_tune(connection: Connection, fine_tune_id: str) -> None:
    """Forget a fine-tune, with its steps and the name of its model."""
    connection.execute(sqlalchemy.delete(fine_tunes).where(fine_tunes.c.id == fine_tune_id))


def artifacts_of_others(connection: Connection, fine_tune_id: str) -> frozenset[str]:
    """What the other fine-tunes have in the artifact store, and what they are trained from."""
    columns = (fine_tunes.c.corpus, fine_tunes.c.base, fine_tunes.c.checkpoints)
    found: set[str] = set()
    for corpus, base, saved in connection.execute(
        select(*columns).where(fine_tunes.c.id != fine_tune_id)
    ):
        found |= {corpus, base.rpartition(":")[2], *(digest for _, digest in saved)}
    query = select(adapters.c.artifact).where(adapters.c.fine_tune_id != fine_tune_id)
    return frozenset(found | set(connection.scalars(query)))


def store_steps(connection: Connection, rows: Sequence[StepRow]) -> None:
    """Store steps; one that is told again is what a resumed training found, and replaces."""
    columns = tuple(name for name in StepRow.__slots__ if name not in ("fine_tune_id", "step"))
    insert_or_update(connection, training_steps, msgspec.to_builtins(rows), columns)


def last_step(connection: Connection, fine_tune_id: str) -> int:
    """The highest step that was told; -1 before the first."""
    query = select(func.max(training_steps.c.step)).where(
        training_steps.c.fine_tune_id == fine_tune_id
    )
    found: int | None = connection.scalar(query)
    return -1 if found is None else found


def steps_of(connection: Connection, fine_tune_id: str, after: int = -1) -> tuple[StepRow, ...]:
    """The steps behind a step, in their order."""
    query = (
        select(training_steps)
        .where(training_steps.c.fine_tune_id == fine_tune_id, training_steps.c.step > after)
        .order_by(training_steps.c.step)
    )
    return tuple(StepRow(**row) for row in connection.execute(query).mappings())


def _first(connection: Connection, query: Select[Any]) -> FineTuneRow | None:
    row = connection.execute(query).mappings().first()
    return None if row is None else FineTuneRow(**row)


def _newest(connection: Connection, query: Select[Any], limit: int) -> tuple[FineTuneRow, ...]:
    ordered = query.order_by(fine_tunes.c.created_at.desc(), fine_tunes.c.id.desc()).limit(limit)
    return tuple(FineTuneRow(**row) for row in connection.execute(ordered).mappings())

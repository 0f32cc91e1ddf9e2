"""Sweeps: the runs that were planned together, found by the id they share."""

from __future__ import annotations

from sqlalchemy import Connection, func, or_, select

from crucible_infra.database.runs import RunRow
from crucible_infra.database.tables import runs


def runs_of_sweep(connection: Connection, sweep_id: str) -> tuple[RunRow, ...]:
    """The sweep's runs in the order they were planned; none for an id that no sweep has."""
    query = select(runs).where(runs.c.sweep_id == sweep_id).order_by(runs.c.created_at, runs.c.id)
    return tuple(RunRow(**row) for row in connection.execute(query).mappings())


def newest_sweep_ids(connection: Connection, limit: int) -> tuple[str, ...]:
    """The last sweeps planned, newest first."""
    query = (
        select(runs.c.sweep_id)
        .where(runs.c.sweep_id.is_not(None))
        .group_by(runs.c.sweep_id)
        .order_by(func.min(runs.c.created_at).desc(), runs.c.sweep_id.desc())
        .limit(limit)
    )
    return tuple(connection.scalars(query))


def matching_sweep_ids(connection: Connection, text: str, limit: int) -> tuple[str, ...]:
    """Sweeps whose id, or its random end, begins with this text; newest first."""
    query = (
        select(runs.c.sweep_id)
        .where(
            or_(
                runs.c.sweep_id.startswith(text, autoescape=True),
                runs.c.sweep_id.contains(f"-{text}", autoescape=True),
            )
        )
        .distinct()
        .order_by(runs.c.sweep_id.desc())
        .limit(limit)
    )
    return tuple(connection.scalars(query))

"""Rows of adapters: what fine-tunes made, by the names users gave them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, select

from crucible_infra.database.tables import adapters
from crucible_infra.database.upsert import insert_new
from crucible_infra.fine_tune_rows import AdapterRow


def insert_adapter(connection: Connection, row: AdapterRow) -> None:
    """Register a model; again changes nothing."""
    insert_new(connection, adapters, [msgspec.to_builtins(row)])


def find_adapter(connection: Connection, name: str) -> AdapterRow | None:
    """The model that is registered under this name."""
    row = connection.execute(select(adapters).where(adapters.c.name == name)).mappings().first()
    return None if row is None else AdapterRow(**row)


def adapter_of_artifact(connection: Connection, artifact: str) -> AdapterRow | None:
    """The first model that was registered with these files; a training repeated makes the same."""
    query = select(adapters).where(adapters.c.artifact == artifact).order_by(adapters.c.created_at)
    row = connection.execute(query).mappings().first()
    return None if row is None else AdapterRow(**row)


def adapters_of(connection: Connection, fine_tune_ids: Sequence[str]) -> dict[str, AdapterRow]:
    """What these fine-tunes made, by their ids."""
    query = select(adapters).where(adapters.c.fine_tune_id.in_(fine_tune_ids))
    rows = (AdapterRow(**row) for row in connection.execute(query).mappings())
    return {row.fine_tune_id: row for row in rows}


def every_adapter(connection: Connection) -> tuple[AdapterRow, ...]:
    """All that are registered, the newest first."""
    query = select(adapters).order_by(adapters.c.created_at.desc(), adapters.c.name)
    return tuple(AdapterRow(**row) for row in connection.execute(query).mappings())

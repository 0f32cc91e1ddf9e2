"""Batched inserts that may be repeated, alike on both engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

Row = Mapping[str, Any]


def insert_new(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows whose key is not there yet; what is there stays as it is."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), rows)


def insert_or_update(
    connection: Connection,
    table: Table,
    rows: Sequence[Row],
    columns: Sequence[str],
    *,
    only_if_greater: str | None = None,
) -> None:
    """Insert, and where the key is there already change these columns.

    `only_if_greater` names a column that must grow for the change to happen, so that messages
    out of order cannot bring the past back.
    """
    if not rows:
        return
    statement = _insert(connection, table)
    new = statement.excluded
    where = None
    if only_if_greater is not None:
        where = table.c[only_if_greater] < new[only_if_greater]
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(table.primary_key.columns),
            set_={column: new[column] for column in columns},
            where=where,
        ),
        rows,
    )


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)

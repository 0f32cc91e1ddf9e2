"""Rows of scores: written when a run settles, replaced when it settles again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, select

from crucible_infra.database.tables import scores
from crucible_infra.database.upsert import insert_or_update


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One pass@k with its interval; see `tables.scores`."""

    run_id: str
    grader: str
    k: int
    value: float | None
    low: float | None
    high: float | None
    challenges: int
    reason: str | None


def store_scores(connection: Connection, rows: Sequence[ScoreRow]) -> None:
    """Store the scores of a run under its grader."""
    columns = ("value", "low", "high", "challenges", "reason")
    insert_or_update(connection, scores, msgspec.to_builtins(rows), columns)


def scores_of(connection: Connection, run_id: str, grader: str) -> tuple[ScoreRow, ...]:
    """The stored scores, smallest k first."""
    query = (
        select(scores)
        .where(scores.c.run_id == run_id, scores.c.grader == grader)
        .order_by(scores.c.k)
    )
    return tuple(ScoreRow(**row) for row in connection.execute(query).mappings())

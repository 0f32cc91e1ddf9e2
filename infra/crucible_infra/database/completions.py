"""Rows of completions: stored once, never changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, and_, func, select

from crucible_infra.database.tables import completions, run_challenges
from crucible_infra.database.upsert import insert_new

#: rows fetched at a time where all of a run are read; keeps memory flat
_PAGE = 500


@dataclass(frozen=True, slots=True)
class CompletionRow:
    """One completion; see `tables.completions` for what the columns mean."""

    run_id: str
    task_id: str
    index: int
    form: str
    text: str
    seed: int | None
    finish: str
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float | None
    line: int | None = None
    joules: float | None = None


def insert_completions(connection: Connection, rows: Sequence[CompletionRow]) -> None:
    """Store completions; for an index that is there already the first text stays."""
    insert_new(connection, completions, msgspec.to_builtins(rows))


@dataclass(frozen=True, slots=True)
class CostCount:
    """What a run's completions cost; sums are over those that told."""

    completions: int
    counted: int
    timed: int
    metered: int
    completion_tokens: int
    seconds: float
    joules: float


def cost_count(connection: Connection, run_id: str) -> CostCount:
    """Tokens, model time and energy of a run."""
    columns = completions.c
    query = select(
        func.count(),
        func.count(columns.completion_tokens),
        func.count(columns.seconds),
        func.count(columns.joules),
        func.coalesce(func.sum(columns.completion_tokens), 0),
        func.coalesce(func.sum(columns.seconds), 0.0),
        func.coalesce(func.sum(columns.joules), 0.0),
    ).where(columns.run_id == run_id)
    return CostCount(*connection.execute(query).one())


def stored_indices(connection: Connection, run_id: str, task_id: str) -> frozenset[int]:
    """The indices of a challenge that have a completion."""
    query = select(completions.c.index).where(
        completions.c.run_id == run_id, completions.c.task_id == task_id
    )
    return frozenset(connection.scalars(query))


def find_completions(
    connection: Connection, run_id: str, task_id: str, indices: Sequence[int]
) -> tuple[CompletionRow, ...]:
    """These completions of a challenge, in the order of their indices."""
    query = (
        select(completions)
        .where(
            completions.c.run_id == run_id,
            completions.c.task_id == task_id,
            completions.c.index.in_(indices),
        )
        .order_by(completions.c.index)
    )
    return tuple(CompletionRow(**row) for row in connection.execute(query).mappings())


def each_completion(connection: Connection, run_id: str) -> Iterator[CompletionRow]:
    """Every completion of a run: in the order of its file, or by challenge and index."""
    query = (
        select(completions)
        .join(
            run_challenges,
            and_(
                run_challenges.c.run_id == completions.c.run_id,
                run_challenges.c.task_id == completions.c.task_id,
            ),
        )
        .where(completions.c.run_id == run_id)
        # sampled completions have no line: one and the same for all of them
        .order_by(completions.c.line, run_challenges.c.position, completions.c.index)
    )
    result = connection.execution_options(yield_per=_PAGE).execute(query)
    return (CompletionRow(**row) for row in result.mappings())

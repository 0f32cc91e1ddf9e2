"""Rows of scores: written when a run settles, replaced when it settles again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, and_, func, select

from crucible_infra.database.runs import RunRow
from crucible_infra.database.tables import runs, scores
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


_OF_SCORE = tuple(ScoreRow.__slots__)

#: a run that goes on again has no score until it settles
_IS_CURRENT = and_(
    runs.c.id == scores.c.run_id,
    runs.c.grader == scores.c.grader,
    runs.c.state.in_(("finished", "incomplete")),
)


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


def stored_scores(
    connection: Connection, run_ids: Sequence[str]
) -> dict[str, tuple[ScoreRow, ...]]:
    """The scores of these runs, smallest k first; of settled runs alone."""
    query = (
        select(scores)
        .join(runs, _IS_CURRENT)
        .where(scores.c.run_id.in_(run_ids))
        .order_by(scores.c.k)
    )
    found: dict[str, tuple[ScoreRow, ...]] = {}
    for row in connection.execute(query).mappings():
        found[row["run_id"]] = (*found.get(row["run_id"], ()), ScoreRow(**row))
    return found


@dataclass(frozen=True, slots=True)
class ScoredSet:
    """A set of challenges and a k for which settled runs have a score."""

    dataset: str
    dataset_digest: str
    k: int
    #: runs with such a score
    runs: int
    #: of the largest of them
    challenges: int
    #: when the newest of them was planned
    newest_at: float


@dataclass(frozen=True, slots=True)
class ScoredRun:
    """A settled run and its score at one k."""

    run: RunRow
    score: ScoreRow


def scored_sets(connection: Connection) -> tuple[ScoredSet, ...]:
    """Every set and k with a score; the smallest k of a set first."""
    columns = (runs.c.dataset, runs.c.dataset_digest, scores.c.k)
    query = (
        select(
            *columns,
            func.count(),
            func.max(scores.c.challenges),
            func.max(runs.c.created_at),
        )
        .join(runs, _IS_CURRENT)
        .where(scores.c.value.is_not(None))
        .group_by(*columns)
        .order_by(*columns)
    )
    return tuple(ScoredSet(*row) for row in connection.execute(query))


def scored_runs(connection: Connection, dataset_digest: str, k: int) -> tuple[ScoredRun, ...]:
    """The settled runs over a set with a score at k, newest first."""
    query = (
        select(runs, *(scores.c[name].label(f"score_{name}") for name in _OF_SCORE))
        .join(scores, _IS_CURRENT)
        .where(
            runs.c.dataset_digest == dataset_digest, scores.c.k == k, scores.c.value.is_not(None)
        )
        .order_by(runs.c.created_at.desc(), runs.c.id.desc())
    )
    return tuple(
        ScoredRun(
            RunRow(**{name: row[name] for name in RunRow.__slots__}),
            ScoreRow(**{name: row[f"score_{name}"] for name in _OF_SCORE}),
        )
        for row in connection.execute(query).mappings()
    )

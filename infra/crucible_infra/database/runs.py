"""Rows of runs and their challenges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy
from sqlalchemy import Connection, Select, or_, select

from crucible_infra.database.tables import run_challenges, runs


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run; see `tables.runs` for what the columns mean."""

    id: str
    sweep_id: str | None
    kind: str
    state: str
    source: str
    dataset: str
    dataset_digest: str
    dataset_artifact: str
    n: int
    ks: list[int]
    seed: int
    sampling: dict[str, Any] | None
    limits: dict[str, Any] | None
    batch: int
    grader: str
    grade_round: int
    manifest: dict[str, Any]
    created_at: float
    started_at: float | None = None
    heard_at: float | None = None
    finished_at: float | None = None
    seconds_before: float = 0.0
    owner: str | None = None
    priority: int = 0


@dataclass(frozen=True, slots=True)
class ChallengeRow:
    """One challenge of a run."""

    run_id: str
    task_id: str
    position: int
    planned: int
    prompt: dict[str, Any] | None
    seed_base: int


def insert_run(connection: Connection, run: RunRow, challenges: Sequence[ChallengeRow]) -> None:
    """Add a run that is not there yet."""
    connection.execute(runs.insert(), [msgspec.to_builtins(run)])
    if challenges:
        connection.execute(run_challenges.insert(), msgspec.to_builtins(challenges))


def find_run(connection: Connection, run_id: str) -> RunRow | None:
    """The run with exactly this id."""
    return _first(connection, select(runs).where(runs.c.id == run_id))


def lock_run(connection: Connection, run_id: str) -> RunRow | None:
    """The run, with no other writer at work on it until the transaction ends."""
    return _first(connection, select(runs).where(runs.c.id == run_id).with_for_update())


def matching_runs(connection: Connection, text: str, limit: int) -> tuple[RunRow, ...]:
    """Runs whose id, or its random end, begins with this text; newest first."""
    query = select(runs).where(
        or_(
            runs.c.id.startswith(text, autoescape=True),
            runs.c.id.contains(f"-{text}", autoescape=True),
        )
    )
    return _newest(connection, query, limit)


def newest_runs(connection: Connection, limit: int) -> tuple[RunRow, ...]:
    """The last runs planned, newest first."""
    return _newest(connection, select(runs), limit)


def newest_run_of(connection: Connection, source: str, dataset_digest: str) -> RunRow | None:
    """The last run of this model on these challenges."""
    query = select(runs).where(runs.c.source == source, runs.c.dataset_digest == dataset_digest)
    return next(iter(_newest(connection, query, 1)), None)


def running_ids(connection: Connection) -> tuple[str, ...]:
    """The runs that want work done: those of the highest priority first, then the oldest."""
    query = (
        select(runs.c.id)
        .where(runs.c.state == "running")
        .order_by(runs.c.priority.desc(), runs.c.created_at)
    )
    return tuple(connection.scalars(query))


def priorities_of(connection: Connection, run_ids: Sequence[str]) -> dict[str, int]:
    """The priority of each of these runs."""
    query = select(runs.c.id, runs.c.priority).where(runs.c.id.in_(run_ids))
    return {row[0]: row[1] for row in connection.execute(query)}


def update_run(connection: Connection, run_id: str, **values: object) -> None:
    """Change some columns of a run."""
    connection.execute(sqlalchemy.update(runs).where(runs.c.id == run_id).values(**values))


def delete_unstarted(connection: Connection, run_ids: Sequence[str]) -> None:
    """Forget those of these runs that were planned and never begun: nothing was asked for them."""
    never = runs.c.id.in_(run_ids) & (runs.c.state == "planned") & runs.c.started_at.is_(None)
    connection.execute(sqlalchemy.delete(runs).where(never))


def challenges_of(connection: Connection, run_id: str) -> tuple[ChallengeRow, ...]:
    """The run's challenges in the dataset's order."""
    query = (
        select(run_challenges)
        .where(run_challenges.c.run_id == run_id)
        .order_by(run_challenges.c.position)
    )
    return tuple(ChallengeRow(**row) for row in connection.execute(query).mappings())


def find_challenge(connection: Connection, run_id: str, task_id: str) -> ChallengeRow | None:
    """One challenge of a run."""
    query = select(run_challenges).where(
        run_challenges.c.run_id == run_id, run_challenges.c.task_id == task_id
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else ChallengeRow(**row)


def _first(connection: Connection, query: Select[Any]) -> RunRow | None:
    row = connection.execute(query).mappings().first()
    return None if row is None else RunRow(**row)


def _newest(connection: Connection, query: Select[Any], limit: int) -> tuple[RunRow, ...]:
    # two runs of one second sort by their ids, so that "latest" is never a matter of luck
    ordered = query.order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(limit)
    return tuple(RunRow(**row) for row in connection.execute(ordered).mappings())

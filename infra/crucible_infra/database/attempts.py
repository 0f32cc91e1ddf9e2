"""Rows of attempts: what was sent, what failed and why, per challenge and stage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy
from sqlalchemy import Connection, select

from crucible_infra.database.tables import attempts
from crucible_infra.database.upsert import insert_or_update

#: failures in a row, with nothing done between them, after which a challenge is given up
MAX_FAILURES = 3


class Stage(StrEnum):
    """What was asked for."""

    GENERATION = "generation"
    EVALUATION = "evaluation"


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """How asking for one challenge's work went."""

    run_id: str
    task_id: str
    stage: str
    failures: int
    is_permanent: bool
    reason: str | None
    sent_at: float | None

    @classmethod
    def blank(cls, run_id: str, task_id: str, stage: Stage) -> AttemptRow:
        """Nothing was asked for yet."""
        return cls(run_id, task_id, stage, 0, is_permanent=False, reason=None, sent_at=None)

    @property
    def is_given_up(self) -> bool:
        """Whether nothing more is sent until somebody resumes the run."""
        return self.is_permanent or self.failures >= MAX_FAILURES


def attempts_of(connection: Connection, run_id: str) -> dict[tuple[str, Stage], AttemptRow]:
    """What was asked for, by challenge and stage."""
    query = select(attempts).where(attempts.c.run_id == run_id)
    rows = (AttemptRow(**row) for row in connection.execute(query).mappings())
    return {(row.task_id, Stage(row.stage)): row for row in rows}


def failures_of(connection: Connection, run_id: str) -> tuple[AttemptRow, ...]:
    """The attempts whose last answer was a failure, or none at all."""
    query = select(attempts).where(
        attempts.c.run_id == run_id, attempts.c.is_permanent | (attempts.c.failures > 0)
    )
    return tuple(AttemptRow(**row) for row in connection.execute(query).mappings())


def find_attempt(connection: Connection, run_id: str, task_id: str, stage: Stage) -> AttemptRow:
    """How asking for this went; a blank row when it never was."""
    query = select(attempts).where(
        attempts.c.run_id == run_id, attempts.c.task_id == task_id, attempts.c.stage == stage
    )
    row = connection.execute(query).mappings().first()
    return AttemptRow.blank(run_id, task_id, stage) if row is None else AttemptRow(**row)


def store_attempts(connection: Connection, rows: Iterable[AttemptRow]) -> None:
    """Write these rows as they are; the caller holds the run's lock."""
    insert_or_update(
        connection,
        attempts,
        [{name: getattr(row, name) for name in AttemptRow.__slots__} for row in rows],
        ("failures", "is_permanent", "reason", "sent_at"),
    )


def release_lease(connection: Connection, attempt: AttemptRow) -> None:
    """Let the next reconcile send this at once."""
    connection.execute(
        sqlalchemy.update(attempts)
        .where(
            attempts.c.run_id == attempt.run_id,
            attempts.c.task_id == attempt.task_id,
            attempts.c.stage == attempt.stage,
        )
        .values(sent_at=None)
    )


def forget_attempts(connection: Connection, run_id: str) -> None:
    """Begin anew, as if nothing had been sent or had failed."""
    connection.execute(sqlalchemy.delete(attempts).where(attempts.c.run_id == run_id))


def given_up_stages(connection: Connection, run_id: str) -> frozenset[tuple[str, str]]:
    """The challenges and stages nothing more is sent for; see `AttemptRow.is_given_up`."""
    query = select(attempts.c.task_id, attempts.c.stage).where(
        attempts.c.run_id == run_id,
        attempts.c.is_permanent | (attempts.c.failures >= MAX_FAILURES),
    )
    return frozenset((row[0], row[1]) for row in connection.execute(query))

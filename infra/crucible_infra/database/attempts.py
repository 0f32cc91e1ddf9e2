"""Rows of attempts: what was sent, what failed and why, per challenge and stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, Connection, Select, literal_column, select

from crucible_infra.database.tables import attempts
from crucible_infra.database.upsert import insert_or_update
from crucible_infra.stage import Stage

#: failures in a row, with nothing done between them, after which a challenge is given up
MAX_FAILURES = 3


#: of the rows, as the partial indexes have them: a bound parameter would hide the indexes
IS_WAITING = attempts.c.is_waiting
IS_UNANSWERED = attempts.c.messages > literal_column("0")


@dataclass(frozen=True, slots=True)
class Asked:
    """One message that is not answered yet."""

    #: failures before it was sent
    attempt: int
    #: of the completions whose answer is missing
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """How asking for one challenge's work went, and what of it is under way."""

    run_id: str
    task_id: str
    stage: str
    failures: int
    is_permanent: bool
    reason: str | None
    sent_at: float | None
    #: whether there may be something to send; what exactly, the completions and verdicts tell
    is_waiting: bool = False
    #: the messages that are under way
    asked: tuple[Asked, ...] = ()

    @classmethod
    def blank(cls, run_id: str, task_id: str, stage: Stage) -> AttemptRow:
        """Nothing was asked for yet."""
        return cls(run_id, task_id, stage, 0, is_permanent=False, reason=None, sent_at=None)

    @property
    def is_given_up(self) -> bool:
        """Whether nothing more is sent until somebody resumes the run."""
        return self.is_permanent or self.failures >= MAX_FAILURES

    @property
    def indices_asked(self) -> frozenset[int]:
        """The completions whose answer is under way."""
        return frozenset(index for message in self.asked for index in message.indices)


def attempts_of(connection: Connection, run_id: str) -> dict[tuple[str, Stage], AttemptRow]:
    """What was asked for, by challenge and stage."""
    rows = _rows(connection, select(attempts).where(attempts.c.run_id == run_id))
    return {(row.task_id, Stage(row.stage)): row for row in rows}


def failures_of(connection: Connection, run_id: str) -> tuple[AttemptRow, ...]:
    """The attempts whose last answer was a failure, or none at all."""
    query = select(attempts).where(
        attempts.c.run_id == run_id, attempts.c.is_permanent | (attempts.c.failures > 0)
    )
    return _rows(connection, query)


def find_attempts(connection: Connection, run_id: str, task_id: str) -> dict[Stage, AttemptRow]:
    """How asking for each stage of a challenge went; blank rows where it never was."""
    query = select(attempts).where(attempts.c.run_id == run_id, attempts.c.task_id == task_id)
    found = {Stage(row.stage): row for row in _rows(connection, query)}
    return {stage: AttemptRow.blank(run_id, task_id, stage) for stage in Stage} | found


def waiting_attempts(
    connection: Connection, run_id: str, stage: Stage, limit: int
) -> tuple[AttemptRow, ...]:
    """The first challenges of a run for which there may be something to send."""
    query = (
        select(attempts)
        .where(attempts.c.run_id == run_id, attempts.c.stage == stage, IS_WAITING)
        .order_by(attempts.c.task_id)
        .limit(limit)
    )
    return _rows(connection, query)


def unanswered_attempts(connection: Connection, run_id: str) -> tuple[AttemptRow, ...]:
    """Everything of a run that is under way."""
    return _rows(connection, select(attempts).where(attempts.c.run_id == run_id, IS_UNANSWERED))


def has_waiting_or_unanswered(connection: Connection, run_id: str) -> bool:
    """Whether anything of a run waits to be sent or is under way: a look at two small indexes."""
    of_run = select(attempts.c.task_id).where(attempts.c.run_id == run_id)
    waiting = of_run.where(IS_WAITING).order_by(attempts.c.stage, attempts.c.task_id)
    unanswered = of_run.where(IS_UNANSWERED).order_by(attempts.c.stage, attempts.c.messages)
    return bool(connection.scalar(select(is_any(waiting) | is_any(unanswered))))


def is_any(rows: Select[tuple[str]]) -> ColumnElement[bool]:
    """Whether there are any of these rows, which come in the order of the index to be used.

    Postgres answers EXISTS by reading the table from its beginning once many rows match, also when
    those lie at its end.
    """
    return rows.limit(1).scalar_subquery().is_not(None)


def store_attempts(connection: Connection, rows: Iterable[AttemptRow]) -> None:
    """Write these rows as they are; the caller holds the run's lock."""
    insert_or_update(connection, attempts, [_values(row) for row in rows], _CHANGING)


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


_KEY = ("run_id", "task_id", "stage")

#: everything but the key
_CHANGING = (*(name for name in AttemptRow.__slots__ if name not in _KEY), "messages")


def _values(row: AttemptRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in AttemptRow.__slots__}
    asked = [[message.attempt, list(message.indices)] for message in row.asked]
    return values | {"asked": asked or None, "messages": len(asked)}


def _rows(connection: Connection, query: Select[Any]) -> tuple[AttemptRow, ...]:
    return tuple(_row(row) for row in connection.execute(query).mappings())


def _row(columns: Mapping[Any, Any]) -> AttemptRow:
    values = {name: columns[name] for name in AttemptRow.__slots__}
    asked = values["asked"] or ()
    values["asked"] = tuple(Asked(attempt, tuple(indices)) for attempt, indices in asked)
    return AttemptRow(**values)

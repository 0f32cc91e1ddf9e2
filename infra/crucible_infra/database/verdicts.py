"""Rows of verdicts: one per completion and grader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, select

from crucible_infra.database.runs import RunRow
from crucible_infra.database.tables import completions, run_challenges, verdicts
from crucible_infra.database.upsert import insert_or_update

#: rows fetched at a time where all of a run are read; keeps memory flat
_PAGE = 2000

_FOUND = (
    "grade_round",
    "outcome",
    "detail",
    "cpu_seconds",
    "wall_seconds",
    "mode",
    "isolation",
    "extraction",
    "program_digest",
)


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """One verdict; see `tables.verdicts` for what the columns mean."""

    run_id: str
    task_id: str
    index: int
    grader: str
    grade_round: int
    outcome: str
    detail: str
    cpu_seconds: float
    wall_seconds: float
    mode: str
    extraction: str
    program_digest: str | None
    isolation: str | None = None


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """A completion beside its verdict; the verdict's columns are None while there is none."""

    task_id: str
    index: int
    line: int | None
    finish: str
    form: str
    outcome: str | None
    detail: str | None
    cpu_seconds: float | None
    wall_seconds: float | None
    mode: str | None
    isolation: str | None
    extraction: str | None
    program_digest: str | None


_OF_COMPLETION = ("task_id", "index", "line", "finish", "form")
_OF_VERDICT = tuple(name for name in JudgedRow.__slots__ if name not in _OF_COMPLETION)


def insert_verdicts(connection: Connection, rows: Sequence[VerdictRow]) -> None:
    """Store verdicts; within one round the first stays, a later round replaces it."""
    insert_or_update(
        connection,
        verdicts,
        msgspec.to_builtins(rows),
        _FOUND,
        only_if_greater="grade_round",
    )


def judged_indices(connection: Connection, run: RunRow, task_id: str) -> frozenset[int]:
    """The indices of a challenge with a verdict under the run's grader and round."""
    query = select(verdicts.c.index).where(
        verdicts.c.run_id == run.id,
        verdicts.c.task_id == task_id,
        verdicts.c.grader == run.grader,
        in_round(run),
    )
    return frozenset(connection.scalars(query))


def passed_by_place(connection: Connection, run: RunRow) -> dict[tuple[str, int], bool]:
    """Whether each judged completion of a run passed, by challenge and index."""
    query = select(verdicts.c.task_id, verdicts.c.index, verdicts.c.outcome).where(
        verdicts.c.run_id == run.id, verdicts.c.grader == run.grader
    )
    return {(row[0], row[1]): row[2] == "passed" for row in connection.execute(query)}


def outcomes_by_place(connection: Connection, run: RunRow) -> tuple[tuple[str, int, str], ...]:
    """Challenge, index and outcome of every judged completion of a run, in no order."""
    query = select(verdicts.c.task_id, verdicts.c.index, verdicts.c.outcome).where(
        verdicts.c.run_id == run.id, verdicts.c.grader == run.grader
    )
    return tuple((row[0], row[1], row[2]) for row in connection.execute(query))


def outcomes_of_challenge(connection: Connection, run: RunRow, task_id: str) -> dict[int, str]:
    """The outcomes of one challenge's completions, by their indices."""
    query = select(verdicts.c.index, verdicts.c.outcome).where(
        verdicts.c.run_id == run.id,
        verdicts.c.task_id == task_id,
        verdicts.c.grader == run.grader,
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def find_verdict(
    connection: Connection, run: RunRow, task_id: str, index: int
) -> VerdictRow | None:
    """The verdict on one completion by the run's grader."""
    query = select(verdicts).where(
        verdicts.c.run_id == run.id,
        verdicts.c.task_id == task_id,
        verdicts.c.grader == run.grader,
        verdicts.c.index == index,
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else VerdictRow(**row)


def isolations_of(connection: Connection, run: RunRow) -> frozenset[str | None]:
    """What kept the judged programs of a run from the host; None where it was not told."""
    query = select(verdicts.c.isolation).where(
        verdicts.c.run_id == run.id, verdicts.c.grader == run.grader
    )
    return frozenset(connection.scalars(query.distinct()))


def in_round(run: RunRow) -> ColumnElement[bool]:
    """Whether a verdict is of the run's round.

    The sum keeps this condition from choosing the index made for counting outcomes, which would
    read a whole run to find one challenge.
    """
    return verdicts.c.grade_round + 0 == run.grade_round


def each_judged(connection: Connection, run: RunRow) -> Iterator[JudgedRow]:
    """Every completion with its verdict: in the order of its file, or by challenge and index.

    A verdict of an earlier round of the same grader is as good as a new one, and shown.
    """
    query = (
        select(
            *(completions.c[name] for name in _OF_COMPLETION),
            *(verdicts.c[name] for name in _OF_VERDICT),
        )
        .select_from(completions)
        .join(
            run_challenges,
            and_(
                run_challenges.c.run_id == completions.c.run_id,
                run_challenges.c.task_id == completions.c.task_id,
            ),
        )
        .outerjoin(verdicts, joined_verdicts(run))
        .where(completions.c.run_id == run.id)
        .order_by(completions.c.line, run_challenges.c.position, completions.c.index)
    )
    result = connection.execution_options(yield_per=_PAGE).execute(query)
    return (JudgedRow(**row) for row in result.mappings())


def joined_verdicts(run: RunRow) -> ColumnElement[bool]:
    """Which verdict belongs to a completion of a run."""
    return and_(
        verdicts.c.run_id == completions.c.run_id,
        verdicts.c.task_id == completions.c.task_id,
        verdicts.c.index == completions.c.index,
        verdicts.c.grader == run.grader,
    )

"""Pages of rows: what comes behind a place, and no more than asked for.

A place is what the rows are ordered by, so that a page costs the same wherever it is, and what is
added meanwhile moves none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, literal, select, tuple_

from crucible_infra.database.completions import CompletionRow
from crucible_infra.database.runs import RunRow
from crucible_infra.database.tables import completions, fine_tunes, run_challenges, runs, verdicts
from crucible_infra.database.verdicts import JudgedRow, joined_verdicts
from crucible_infra.fine_tune_rows import FineTuneRow

#: where a planned thing is in its list, newest first: when, and its id
Planned = tuple[float, str]

#: where a completion is in its run: line of the file (0 where there is none), challenge, index
Place = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Sized:
    """A completion's place, and how long its text is."""

    place: Place
    #: characters, as they are stored
    length: int


def runs_page(connection: Connection, limit: int, after: Planned | None) -> tuple[RunRow, ...]:
    """Runs that were planned before a place, newest first."""
    query = _newest(select(runs), runs.c.created_at, runs.c.id, after)
    return tuple(RunRow(**row) for row in connection.execute(query.limit(limit)).mappings())


def fine_tunes_page(
    connection: Connection, limit: int, after: Planned | None
) -> tuple[FineTuneRow, ...]:
    """Fine-tunes that were planned before a place, newest first."""
    query = _newest(select(fine_tunes), fine_tunes.c.created_at, fine_tunes.c.id, after)
    return tuple(FineTuneRow(**row) for row in connection.execute(query.limit(limit)).mappings())


def sweeps_page(connection: Connection, limit: int, after: Planned | None) -> tuple[Planned, ...]:
    """The places of sweeps, newest first."""
    began = func.min(runs.c.created_at)
    query = (
        select(began, runs.c.sweep_id)
        .where(runs.c.sweep_id.is_not(None))
        .group_by(runs.c.sweep_id)
        .order_by(began.desc(), runs.c.sweep_id.desc())
        .limit(limit)
    )
    if after is not None:
        query = query.having(tuple_(began, runs.c.sweep_id) < _literal(after))
    return tuple((row[0], row[1]) for row in connection.execute(query))


def completion_sizes(
    connection: Connection, run_id: str, limit: int, after: Place | None, task_id: str | None = None
) -> tuple[Sized, ...]:
    """The completions of a run, or of one of its challenges, without their texts."""
    query = _of_run(select(*_PLACE, func.length(completions.c.text)), run_id, after)
    if task_id is not None:
        query = query.where(completions.c.task_id == task_id)
    found = connection.execute(query.limit(limit))
    return tuple(Sized((line, position, index), size) for line, position, index, size in found)


def completions_page(
    connection: Connection, run_id: str, limit: int, after: Place | None, task_id: str | None = None
) -> tuple[CompletionRow, ...]:
    """The same with their texts."""
    query = _of_run(select(completions), run_id, after)
    if task_id is not None:
        query = query.where(completions.c.task_id == task_id)
    found = connection.execute(query.limit(limit)).mappings()
    return tuple(CompletionRow(**row) for row in found)


def judged_page(
    connection: Connection, run: RunRow, limit: int, after: Place | None
) -> tuple[tuple[Place, JudgedRow], ...]:
    """Completions with their verdicts, each with its place."""
    names = tuple(field.name for field in fields(JudgedRow))
    columns = [(completions if name in completions.c else verdicts).c[name] for name in names]
    query = _of_run(select(*_PLACE, *columns), run.id, after).outerjoin(
        verdicts, joined_verdicts(run)
    )
    return tuple(
        ((row[0], row[1], row[2]), JudgedRow(**dict(zip(names, row[3:], strict=True))))
        for row in connection.execute(query.limit(limit))
    )


#: sampled completions have no line: one and the same for all of them
_PLACE = (func.coalesce(completions.c.line, 0), run_challenges.c.position, completions.c.index)


def _of_run(query: Select[Any], run_id: str, after: Place | None) -> Select[Any]:
    joined = query.select_from(completions).join(
        run_challenges,
        and_(
            run_challenges.c.run_id == completions.c.run_id,
            run_challenges.c.task_id == completions.c.task_id,
        ),
    )
    query = joined.where(completions.c.run_id == run_id).order_by(*_PLACE)
    return query if after is None else query.where(tuple_(*_PLACE) > _literal(after))


def _newest(
    query: Select[Any],
    created_at: ColumnElement[float],
    name: ColumnElement[str],
    after: Planned | None,
) -> Select[Any]:
    # two of one second sort by their ids, so that no page depends on luck
    query = query.order_by(created_at.desc(), name.desc())
    return query if after is None else query.where(tuple_(created_at, name) < _literal(after))


def _literal(values: Sequence[Any]) -> ColumnElement[Any]:
    return tuple_(*(literal(one) for one in values))

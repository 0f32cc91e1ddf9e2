"""Which runs are shown: of a model, a dataset, in some states; a part of them at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from crucible_infra.database.runs import RunRow
from crucible_infra.database.tables import runs


@dataclass(frozen=True, slots=True)
class RunSearch:
    """What the runs have in common; None for what does not matter."""

    #: a part of its spec, or of the name of the fine-tune's model, in any case of letters
    model: str | None = None
    dataset: str | None = None
    #: as they are stored
    states: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A run's place among all, newest first."""

    created_at: float
    run_id: str


def search_runs(
    connection: Connection, search: RunSearch, limit: int | None, after: Place | None = None
) -> tuple[RunRow, ...]:
    """The newest of them, from behind a place on."""
    conditions = list(_conditions(search))
    if after is not None:
        is_older = and_(runs.c.created_at == after.created_at, runs.c.id < after.run_id)
        conditions.append(or_(runs.c.created_at < after.created_at, is_older))
    query = (
        select(runs)
        .where(*conditions)
        .order_by(runs.c.created_at.desc(), runs.c.id.desc())
        .limit(limit)
    )
    return tuple(RunRow(**row) for row in connection.execute(query).mappings())


def datasets_of_runs(connection: Connection) -> tuple[str, ...]:
    """The names of all datasets there are runs on."""
    query = select(runs.c.dataset).distinct().order_by(runs.c.dataset)
    return tuple(connection.scalars(query))


def runs_on(connection: Connection, dataset_digest: str, limit: int) -> tuple[RunRow, ...]:
    """The newest runs on one set of challenges."""
    query = (
        select(runs)
        .where(runs.c.dataset_digest == dataset_digest)
        .order_by(runs.c.created_at.desc(), runs.c.id.desc())
        .limit(limit)
    )
    return tuple(RunRow(**row) for row in connection.execute(query).mappings())


def _conditions(search: RunSearch) -> Sequence[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if search.model is not None:
        name = runs.c.manifest[("registered", "name")].as_string()
        found.append(
            or_(
                runs.c.source.icontains(search.model, autoescape=True),
                name.icontains(search.model, autoescape=True),
            )
        )
    if search.dataset is not None:
        found.append(runs.c.dataset == search.dataset)
    if search.states is not None:
        found.append(runs.c.state.in_(search.states))
    return found

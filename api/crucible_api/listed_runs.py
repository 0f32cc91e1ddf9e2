"""A list of runs: those that were searched for, a part at a time, each with how it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from crucible_api import standing
from crucible_api.reports import RunInfo
from crucible_api.runs import Runs
from crucible_infra.database.counts import challenge_totals, judged_count, run_count
from crucible_infra.database.run_search import Place, RunSearch, datasets_of_runs, search_runs
from crucible_infra.database.runs import RunRow
from crucible_infra.database.scores import stored_scores
from crucible_infra.errors import InvalidInput
from crucible_tasks.planning import RunKind, RunState
from crucible_tasks.scores import Score

#: stored as these, whatever became of their process; there are never many
_OPEN = (RunState.PLANNED, RunState.RUNNING)

#: that say whether a run's process has ended
_BY_OWNER = (RunState.PLANNED, RunState.RUNNING, RunState.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class ListedRun:
    """One run of a list."""

    run: RunInfo
    #: completions
    planned: int
    judged: int
    #: of a settled run; smallest k first
    scores: tuple[Score, ...]


@dataclass(frozen=True, slots=True)
class RunList:
    """A part of the runs that were searched for, newest first."""

    runs: tuple[ListedRun, ...]
    #: what to ask for to see older ones; None at the end
    next: str | None
    #: that there are runs on
    datasets: tuple[str, ...]


def list_of_runs(
    runs: Runs,
    search: RunSearch,
    state: RunState | None = None,
    after: str | None = None,
    limit: int = 50,
) -> RunList:
    """The newest of them, from behind what a list before said as its `next`.

    Raises InvalidInput when `after` is no list's.
    """
    place = None if after is None else _place(after)
    with runs.database.reading() as connection:
        rows = _search(connection, search, state, place, limit + 1)
        shown = rows[:limit]
        return RunList(
            _listed(connection, shown),
            _cursor(shown[-1]) if len(rows) > limit else None,
            datasets_of_runs(connection),
        )


def _search(
    connection: Connection,
    search: RunSearch,
    state: RunState | None,
    after: Place | None,
    limit: int,
) -> Sequence[RunRow]:
    if state in _BY_OWNER:
        # the stored state does not tell them apart
        open_only = RunSearch(search.model, search.dataset, _OPEN)
        found = search_runs(connection, open_only, None, after)
        return [row for row in found if standing.state_of(row) is state][:limit]
    states = None if state is None else (state,)
    return search_runs(connection, RunSearch(search.model, search.dataset, states), limit, after)


def _listed(connection: Connection, rows: Sequence[RunRow]) -> tuple[ListedRun, ...]:
    ids = [row.id for row in rows]
    totals = challenge_totals(connection, ids)
    scores = stored_scores(connection, ids)
    found = []
    for row in rows:
        info = standing.run_info(row, totals.get(row.id, 0))
        of_run = tuple(standing.stored_score(one) for one in scores.get(row.id, ()))
        if info.state is RunState.FINISHED and info.kind is RunKind.BENCHMARK:
            # its plan says it without counting
            planned = judged = info.challenges * info.n
        else:
            planned, judged = run_count(connection, row.id).planned, judged_count(connection, row)
        found.append(ListedRun(info, planned, judged, of_run))
    return tuple(found)


def _cursor(row: RunRow) -> str:
    return f"{row.created_at!r} {row.id}"


def _place(text: str) -> Place:
    created_at, _, run_id = text.partition(" ")
    try:
        return Place(float(created_at), run_id)
    except ValueError as error:
        raise InvalidInput("`after` is what a list before named", hint="leave it out") from error

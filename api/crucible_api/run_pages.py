"""Pages of what the database holds: runs, sweeps, fine-tunes, verdicts, completions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from crucible_api import standing
from crucible_api.fine_tune_reports import FineTuneInfo
from crucible_api.fine_tunes import FineTunes, infos
from crucible_api.reports import RunInfo, VerdictRow
from crucible_api.runs import Runs, found_run
from crucible_api.sweep_reports import SweepInfo
from crucible_api.sweeps import sweep_info
from crucible_infra.database.completions import CompletionRow
from crucible_infra.database.counts import challenge_totals
from crucible_infra.database.pages import (
    Place,
    Planned,
    Sized,
    completion_sizes,
    completions_page,
    fine_tunes_page,
    judged_page,
    runs_page,
    sweeps_page,
)

Item = TypeVar("Item")

#: characters of texts on one page, but for a single longer one; as JSON up to six times as much
MAX_TEXT = 2**20


@dataclass(frozen=True, slots=True)
class Part(Generic[Item]):
    """A part of a list."""

    items: tuple[Item, ...]
    #: where the next part begins; None at the end
    end: tuple[Any, ...] | None


def page_of_runs(runs: Runs, limit: int, after: Planned | None) -> Part[RunInfo]:
    """Runs, newest first."""
    with runs.database.reading() as connection:
        rows = runs_page(connection, limit + 1, after)
        totals = challenge_totals(connection, [row.id for row in rows])
    found = [standing.run_info(row, totals.get(row.id, 0)) for row in rows]
    return _part(found, [(row.created_at, row.id) for row in rows], limit)


def page_of_sweeps(runs: Runs, limit: int, after: Planned | None) -> Part[SweepInfo]:
    """Sweeps, newest first."""
    with runs.database.reading() as connection:
        places = sweeps_page(connection, limit + 1, after)
        found = [sweep_info(connection, name) for _, name in places[:limit]]
    return _part(found, places, limit)


def page_of_fine_tunes(
    fine_tunes: FineTunes, limit: int, after: Planned | None
) -> Part[FineTuneInfo]:
    """Fine-tunes, newest first."""
    with fine_tunes.database.reading() as connection:
        rows = fine_tunes_page(connection, limit + 1, after)
        found = infos(connection, rows)
    return _part(found, [(row.created_at, row.id) for row in rows], limit)


def page_of_verdicts(runs: Runs, run_id: str, limit: int, after: Place | None) -> Part[VerdictRow]:
    """Completions and what became of them, in the order of the file or the dataset.

    Raises RunNotFound.
    """
    with runs.database.reading() as connection:
        run = found_run(connection, run_id)
        rows = judged_page(connection, run, limit + 1, after)
        found = list(standing.told_verdicts(connection, run, [row for _, row in rows]))
    return _part(found, [place for place, _ in rows], limit)


def page_of_completions(
    runs: Runs, run_id: str, limit: int, after: Place | None, task_id: str | None
) -> Part[CompletionRow]:
    """Completions with their raw texts, fewer than `limit` where these are long.

    Raises RunNotFound.
    """
    with runs.database.reading() as connection:
        found_run(connection, run_id)
        sizes = completion_sizes(connection, run_id, limit + 1, after, task_id)
        count = _fitting(sizes[:limit])
        rows = completions_page(connection, run_id, count, after, task_id) if count else ()
    return _part(rows, [one.place for one in sizes], count)


def _fitting(sizes: Sequence[Sized]) -> int:
    """How many go on one page; always the first."""
    total = 0
    for count, one in enumerate(sizes):
        total += one.length
        if count and total > MAX_TEXT:
            return count
    return len(sizes)


def _part(found: Sequence[Item], places: Sequence[tuple[Any, ...]], limit: int) -> Part[Item]:
    """A part of `limit` of what was found; one more was looked for, to know whether there is."""
    is_last = len(places) <= limit
    return Part(tuple(found[:limit]), None if is_last else places[limit - 1])

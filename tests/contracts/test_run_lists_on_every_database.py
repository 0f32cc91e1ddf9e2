"""What the pages about runs show is the same on every database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crucible_api.grid import grid
from crucible_api.leaderboard import leaderboard
from crucible_api.listed_runs import list_of_runs
from crucible_api.one_completion import one_completion
from crucible_api.runs import Runs
from crucible_infra.artifacts import open_store
from crucible_infra.database import open_database, upgrade
from crucible_infra.database.run_search import RunSearch
from filled_database import Filled, fill

#: so that both have the same ids
NOW = 1_790_000_000.0


def test_lists_grids_and_completions_are_the_same(
    tmp_path: Path, postgres_database_url: str
) -> None:
    with _filled(f"sqlite:///{tmp_path / 'x.db'}", tmp_path) as (runs, filled):
        wanted = _shown(runs, filled)
    with _filled(postgres_database_url, tmp_path) as (runs, again):
        assert again == filled
        assert _shown(runs, filled) == wanted
    assert [one.run.id for one in wanted["named"].runs] == [filled.registered]


@contextmanager
def _filled(url: str, directory: Path) -> Iterator[tuple[Runs, Filled]]:
    upgrade(url)
    database = open_database(url)
    artifacts = open_store(str(directory / "artifacts"))
    try:
        yield Runs(database, artifacts), fill(database, artifacts, now=NOW)
    finally:
        database.close()


def _shown(runs: Runs, filled: Filled) -> dict[str, Any]:
    found = grid(runs, filled.large)
    row = found.rows[-1]
    first = list_of_runs(runs, RunSearch(), limit=4)
    return {
        "board": leaderboard(runs, "starter", 1),
        "list": first,
        "older": list_of_runs(runs, RunSearch(dataset="shop"), after=first.next, limit=4),
        "named": list_of_runs(runs, RunSearch(model="SHOP-FIRST", dataset="shop")),
        "grid": found.sorted_by_rate(),
        "completion": one_completion(runs, filled.large, row.task_id, len(row.letters) - 1),
    }

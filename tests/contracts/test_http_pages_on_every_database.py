"""Pages end and begin at the same places on every database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crucible_api.http.services import Services
from crucible_api.run_pages import (
    MAX_TEXT,
    Part,
    page_of_completions,
    page_of_fine_tunes,
    page_of_runs,
    page_of_sweeps,
    page_of_verdicts,
)
from crucible_infra.database.completions import each_completion
from filled_database import Filled, fill, hostile_run
from served import open_filled_services


@pytest.fixture(params=["sqlite", "postgres"])
def services(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Services]:
    url = None
    if request.param == "postgres":
        url = str(request.getfixturevalue("postgres_database_url"))
    found = open_filled_services(tmp_path, url)
    yield found
    found.runs.database.close()


def _all(page: Callable[[int, Any], Part[Any]], limit: int) -> list[Any]:
    items, end = [], None
    while True:
        part = page(limit, end)
        items += part.items
        if part.end is None:
            return items
        assert part.items
        end = part.end


def _lists(
    services: Services, filled: Filled
) -> Iterator[tuple[Callable[[int, Any], Part[Any]], int]]:
    runs = services.runs
    yield (lambda limit, after: page_of_runs(runs, limit, after)), 2
    yield (lambda limit, after: page_of_sweeps(runs, limit, after)), 1
    yield (lambda limit, after: page_of_fine_tunes(services.fine_tunes, limit, after)), 1
    for run_id in (filled.large, filled.gappy, filled.toy):
        yield (lambda limit, after, one=run_id: page_of_verdicts(runs, one, limit, after)), 17
        yield (
            (lambda limit, after, one=run_id: page_of_completions(runs, one, limit, after, None)),
            17,
        )


def test_pages_together_are_the_whole(services: Services) -> None:
    filled = fill(services.runs.database, services.runs.artifacts)
    for page, limit in _lists(services, filled):
        whole = page(100_000, None)
        assert whole.end is None
        assert _all(page, limit) == list(whole.items)
    verdicts = page_of_verdicts(services.runs, filled.large, 100_000, None)
    assert verdicts.items == services.runs.verdict_rows(filled.large)


def test_long_and_hostile_texts_come_in_pages_that_fit(services: Services) -> None:
    run_id = hostile_run(services.runs.database, services.runs.artifacts)
    with services.runs.database.reading() as connection:
        stored = list(each_completion(connection, run_id))
    found, end = [], None
    while True:
        part = page_of_completions(services.runs, run_id, 500, end, None)
        texts = [len(one.text) for one in part.items]
        assert len(texts) == 1 or sum(texts) <= MAX_TEXT
        found += part.items
        if (end := part.end) is None:
            break
    assert found == stored

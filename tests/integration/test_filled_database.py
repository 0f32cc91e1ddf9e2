"""The database that pages are tried over: whole, and the same on either engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from crucible_infra.artifacts import open_store
from crucible_infra.database import open_database, upgrade
from crucible_infra.database.completions import each_completion
from crucible_tasks.planning import RunState
from filled_answers import OUTCOMES
from filled_database import fill, hostile_run
from hostile_texts import hostile_texts
from served import open_filled_services


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'crucible.db'}"
    return str(request.getfixturevalue("postgres_database_url"))


def test_runs_are_as_their_names_say(url: str, tmp_path: Path) -> None:
    services = open_filled_services(tmp_path, url)
    runs = services.runs
    filled = fill(runs.database, runs.artifacts)
    states = {run.id: run.state for run in runs.list_runs(50)}
    large = runs.summary(filled.large)
    gappy = runs.progress(filled.gappy)
    running = runs.progress(filled.running)
    routing = runs.summary(filled.router).routing
    best = runs.counts(filled.registered)
    runs.database.close()

    assert states[filled.interrupted] is RunState.INTERRUPTED
    assert {one.outcome for one in large.outcomes} == set(OUTCOMES)
    assert large.scores[0].value > 0.5
    assert gappy.infra == 10
    assert {gap.stage for gap in gappy.gaps} == {"generation", "evaluation"}
    assert 0 < running.judged < running.generated < running.planned
    assert routing is not None
    assert all(member.alone is not None for member in routing.members)
    assert sum(count.c for count in best) > 0


def test_hostile_answers_come_back_unchanged(url: str, tmp_path: Path) -> None:
    upgrade(url)
    database = open_database(url)
    run_id = hostile_run(database, open_store(str(tmp_path / "artifacts")))
    with database.reading() as connection:
        found = [row.text for row in each_completion(connection, run_id)]
    database.close()

    assert found == list(hostile_texts())

"""Runs are watched until nothing more happens to them by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import scripted_run
from crucible_api.cli.watch import Watch
from crucible_infra.database import open_database
from crucible_infra.database.runs import update_run
from crucible_tasks.planning import RunState
from scripted_run import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    database = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    yield Workshop(database, tmp_path)
    database.close()


def _planned(workshop: Workshop, count: int) -> list[str]:
    return [workshop.runs.plan_benchmark(scripted_run.plan()) for _ in range(count)]


def _change(workshop: Workshop, run_id: str, **values: object) -> None:
    with workshop.database.writing() as connection:
        update_run(connection, run_id, **values)


def test_a_laptop_begins_one_after_the_other(workshop: Workshop) -> None:
    first, second = _planned(workshop, 2)
    watch = Watch(workshop.runs, [first, second], workshop.runs.start)
    watch.look()
    states = [workshop.runs.progress(one).state for one in (first, second)]
    assert states == [RunState.RUNNING, RunState.PLANNED]
    assert (watch.done_text, watch.standing.planned, watch.standing.left) == ("0/2 runs", 24, 24)
    workshop.finish()
    watch.look()
    assert (watch.done_text, watch.standing.left) == ("1/2 runs", 12)
    assert not watch.is_over
    workshop.finish()
    watch.look()
    assert (watch.done_text, watch.is_over, watch.standing.judged) == ("2/2 runs", True, 24)


def test_a_run_paused_before_its_turn_is_passed_over_on_a_laptop(workshop: Workshop) -> None:
    first, second, third = _planned(workshop, 3)
    watch = Watch(workshop.runs, [first, second, third], workshop.runs.start)
    watch.look()
    workshop.runs.pause(second)
    workshop.runs.pause(first)
    watch.look()
    assert workshop.runs.progress(second).state is RunState.PAUSED
    assert workshop.runs.progress(third).state is RunState.RUNNING
    workshop.finish()
    watch.look()
    assert (watch.is_over, watch.standing.left) == (True, 0)


def test_what_a_resume_will_begin_counts_as_left(workshop: Workshop) -> None:
    first, second = _planned(workshop, 2)
    for run_id in (first, second):
        workshop.runs.stop(run_id)
    watch = Watch(workshop.runs, [first, second], workshop.runs.resume)
    watch.look()
    assert watch.standing.left == 24
    assert list(watch.begun) == [first]


def test_a_paused_run_of_a_cluster_is_waited_for(workshop: Workshop) -> None:
    (run_id,) = _planned(workshop, 1)
    _change(workshop, run_id, owner=None, state=RunState.PAUSED)
    watch = Watch(workshop.runs, [run_id])
    watch.look()
    assert (watch.is_over, watch.standing.left) == (False, 0)
    workshop.runs.hand_over(run_id)
    watch.look()
    assert (watch.is_over, watch.standing.left) == (False, 12)
    workshop.runs.stop(run_id)
    watch.look()
    assert watch.is_over


def test_a_run_of_a_cluster_that_was_never_started_is_not_waited_for(workshop: Workshop) -> None:
    planned, running = _planned(workshop, 2)
    _change(workshop, planned, owner=None)
    _change(workshop, running, owner=None, state=RunState.RUNNING)
    watch = Watch(workshop.runs, [planned, running])
    watch.look()
    assert (watch.is_over, watch.standing.left, watch.standing.planned) == (False, 12, 24)
    workshop.runs.stop(running)
    watch.look()
    assert watch.is_over


def test_another_process_sweep_is_watched_through_its_planned_runs(workshop: Workshop) -> None:
    first, second = _planned(workshop, 2)
    workshop.runs.start(first)
    workshop.finish()
    watch = Watch(workshop.runs, [first, second])
    watch.look()
    assert not watch.is_over
    workshop.runs.start(second)
    workshop.finish()
    watch.look()
    assert watch.is_over

"""What a process is asked to do has its turn, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import scripted_run
from crucible_api.fine_tunes import FineTunes
from crucible_api.runs import Runs
from crucible_api.turns import Turn, Turns
from crucible_infra.database import open_database
from crucible_infra.database.runs import update_run
from crucible_tasks.planning import RunState
from scripted_run import Workshop

PATIENCE_SECONDS = 20


@pytest.fixture
def runs(tmp_path: Path, crucible_home: Path) -> Iterator[Runs]:
    del crucible_home
    database = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    yield Workshop(database, tmp_path).runs
    database.close()


@pytest.fixture
def turns(runs: Runs) -> Iterator[Turns]:
    made = Turns(runs, FineTunes(runs.database, send=lambda _: None))
    yield made
    made.close()


def _plan(runs: Runs, priority: int = 0) -> str:
    return runs.plan_benchmark(replace(scripted_run.plan(), priority=priority))


def _await(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _finish(runs: Runs, run_id: str) -> None:
    with runs.database.writing() as connection:
        update_run(connection, run_id, state="finished")


def _states(runs: Runs, run_ids: list[str]) -> list[RunState]:
    return [runs.state(one) for one in run_ids]


def test_a_run_begins_when_the_one_before_is_over(runs: Runs, turns: Turns) -> None:
    first, second, third = mine = [_plan(runs) for _ in range(3)]
    turns.add([Turn(one) for one in mine])
    _await(lambda: runs.state(first) is RunState.RUNNING)
    # long enough for whatever does not wait
    time.sleep(0.3)
    assert _states(runs, [second, third]) == [RunState.PLANNED] * 2
    runs.stop(second)
    _finish(runs, first)
    _await(lambda: runs.state(third) is RunState.RUNNING)
    assert runs.state(second) is RunState.STOPPED


def test_the_highest_priority_goes_first_even_if_it_came_last(runs: Runs, turns: Turns) -> None:
    first, low, high = _plan(runs), _plan(runs), _plan(runs)
    turns.add([Turn(first)])
    _await(lambda: runs.state(first) is RunState.RUNNING)
    turns.add([Turn(low), Turn(high)])
    runs.set_priority(high, 5)
    _finish(runs, first)
    _await(lambda: runs.state(high) is RunState.RUNNING)
    assert runs.state(low) is RunState.PLANNED


def test_a_paused_run_lets_the_next_one_begin(runs: Runs, turns: Turns) -> None:
    first, second = mine = [_plan(runs) for _ in range(2)]
    turns.add([Turn(one) for one in mine])
    _await(lambda: runs.state(first) is RunState.RUNNING)
    runs.pause(first)
    _await(lambda: runs.state(second) is RunState.RUNNING)


def test_one_that_cannot_begin_does_not_hold_the_others(
    runs: Runs, turns: Turns, capfd: pytest.CaptureFixture[str]
) -> None:
    last = _plan(runs)
    turns.add([Turn("nobody"), Turn("nobody", is_fine_tune=True), Turn(last)])
    _await(lambda: runs.state(last) is RunState.RUNNING)
    capfd.readouterr()


def test_nothing_begins_after_the_end(runs: Runs, turns: Turns) -> None:
    first, second = mine = [_plan(runs) for _ in range(2)]
    turns.add([Turn(one) for one in mine])
    _await(lambda: runs.state(first) is RunState.RUNNING)
    turns.close()
    _finish(runs, first)
    time.sleep(0.5)
    assert runs.state(second) is RunState.PLANNED


def test_a_stopped_run_is_resumed_in_its_turn_unless_that_is_taken_back(
    runs: Runs, turns: Turns
) -> None:
    first, second, third = mine = [_plan(runs) for _ in range(3)]
    for run_id in (second, third):
        runs.stop(run_id)
    turns.add([Turn(first), Turn(second, is_resumed=True), Turn(third, is_resumed=True)])
    _await(lambda: runs.state(first) is RunState.RUNNING)

    turns.drop([second])
    _finish(runs, first)

    _await(lambda: runs.state(third) is RunState.RUNNING)
    assert _states(runs, mine) == [RunState.FINISHED, RunState.STOPPED, RunState.RUNNING]

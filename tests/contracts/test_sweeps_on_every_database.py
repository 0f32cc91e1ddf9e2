"""Sweeps are found, told, paused, stopped and taken up again alike on every database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import scripted_run
from crucible_api.sweeps import find_sweep, list_sweeps, select, sweep_summary
from crucible_infra.database import open_database, upgrade
from crucible_infra.database.runs import update_run
from crucible_infra.errors import InvalidInput, RunNotFound
from crucible_infra.owner import own_mark
from crucible_tasks.generation import Generation, GenerationRequest
from crucible_tasks.planning import RunState
from scripted_run import Workshop

SWEEP = "20260131-120000-swee"
OTHER = "20260131-120000-twee"


@pytest.fixture(params=["sqlite", "postgres"])
def workshop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workshop]:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    if request.param == "postgres":
        url = str(request.getfixturevalue("postgres_database_url"))
    upgrade(url)
    database = open_database(url)
    yield Workshop(database, tmp_path)
    database.close()


def _plan(workshop: Workshop, sweep_id: str = SWEEP, seeds: tuple[int, ...] = (1, 2)) -> list[str]:
    return [
        workshop.runs.plan_benchmark(
            replace(scripted_run.plan(), seed=seed, sweep_id=sweep_id, priority=3)
        )
        for seed in seeds
    ]


def _states(workshop: Workshop) -> list[RunState]:
    return [one.run.state for one in sweep_summary(workshop.runs, SWEEP).runs]


def test_a_user_means_a_run_or_a_whole_sweep(workshop: Workshop) -> None:
    mine = _plan(workshop)
    alone = workshop.runs.plan_benchmark(scripted_run.plan())
    assert select(workshop.runs, mine[0]).runs[0].priority == 3
    for text in (SWEEP, SWEEP[:-1], "swee"):
        found = select(workshop.runs, text)
        assert (found.id, [run.id for run in found.runs]) == (SWEEP, mine)
    for text in (alone, alone[-4:], "latest"):
        found = select(workshop.runs, text)
        assert (found.id, found.sweep_id, len(found.runs)) == (alone, None, 1)
    _plan(workshop, OTHER)
    with pytest.raises(RunNotFound, match=f"several match '20260131': sweep {OTHER}, sweep"):
        select(workshop.runs, "20260131")
    for text in ("", "%", "nobody"):
        with pytest.raises(RunNotFound, match="no run or sweep begins with"):
            select(workshop.runs, text)


def test_sweeps_are_listed_newest_first_and_found_by_what_names_them(workshop: Workshop) -> None:
    with pytest.raises(RunNotFound, match="there is no sweep yet"):
        find_sweep(workshop.runs, "latest")
    runs = _plan(workshop)
    _plan(workshop, OTHER)
    workshop.runs.plan_benchmark(scripted_run.plan())
    workshop.runs.stop(runs[0])
    first, second = list_sweeps(workshop.runs)
    assert (first.id, second.id) == (OTHER, SWEEP)
    assert second.states == ((RunState.PLANNED, 1), (RunState.STOPPED, 1))
    assert (second.runs, second.completions, second.datasets) == (2, 24, ("scripted",))
    assert find_sweep(workshop.runs, "latest") == OTHER
    assert find_sweep(workshop.runs, "swee") == SWEEP
    with pytest.raises(RunNotFound, match="no sweep begins with"):
        find_sweep(workshop.runs, runs[0])


def test_a_paused_run_stores_what_arrives_and_sends_nothing_until_resumed(
    workshop: Workshop,
) -> None:
    (run_id,) = _plan(workshop, seeds=(1,))
    workshop.runs.start(run_id)
    (reconcile,) = workshop.wire.take()
    workshop.deliver(reconcile)
    first, second, third = workshop.wire.take()
    workshop.deliver(first)
    (evaluation,) = workshop.wire.take()
    assert workshop.runs.pause(run_id)
    assert not workshop.runs.pause(run_id)
    for request in (evaluation, second, third, reconcile):
        workshop.deliver(request)
    assert workshop.wire.sent == []
    progress = workshop.runs.progress(run_id)
    assert (progress.state, progress.generated, progress.judged) == (RunState.PAUSED, 12, 4)
    assert (progress.is_over, progress.left) == (True, 0)
    workshop.runs.start(run_id)
    assert workshop.wire.sent == []
    workshop.runs.resume(run_id)
    workshop.finish()
    assert workshop.runs.progress(run_id).state is RunState.FINISHED


def test_a_run_whose_last_verdict_came_while_it_was_paused_finishes_when_resumed(
    workshop: Workshop,
) -> None:
    (run_id,) = _plan(workshop, seeds=(1,))
    workshop.runs.start(run_id)
    workshop.runs.resume(run_id)
    for _ in range(2):
        for request in workshop.wire.take():
            workshop.deliver(request)
    last = workshop.wire.take()
    workshop.runs.pause(run_id)
    for request in last:
        workshop.deliver(request)
    assert workshop.runs.progress(run_id).state is RunState.PAUSED
    workshop.runs.hand_over(run_id)
    assert workshop.wire.sent == []
    workshop.controller.reconcile(scripted_run.Reconcile())
    assert workshop.runs.progress(run_id).state is RunState.FINISHED
    assert not workshop.runs.pause(run_id)
    assert not workshop.runs.set_priority(run_id, 1)


def test_a_paused_run_can_be_stopped_and_its_priority_changed(workshop: Workshop) -> None:
    (run_id,) = _plan(workshop, seeds=(1,))
    assert workshop.runs.pause(run_id)
    assert workshop.runs.set_priority(run_id, -10)
    assert workshop.runs.find_run(run_id).priority == -10
    with pytest.raises(InvalidInput, match="from -10 to 10"):
        workshop.runs.set_priority(run_id, 11)
    assert workshop.runs.stop(run_id)
    assert workshop.runs.progress(run_id).state is RunState.STOPPED


def test_planned_runs_of_a_process_that_has_ended_are_interrupted(workshop: Workshop) -> None:
    first, second = _plan(workshop)
    place, _, started = str(own_mark()).rpartition(" ")
    with workshop.database.writing() as connection:
        update_run(connection, first, owner=f"{place} {int(started) - 1}")
        update_run(connection, second, owner=None)
    assert _states(workshop) == [RunState.INTERRUPTED, RunState.PLANNED]
    assert not workshop.runs.pause(first)
    assert workshop.runs.stop(first)


def test_equal_scores_share_the_best_place_and_what_may_be_luck_is_named(
    workshop: Workshop,
) -> None:
    one, same = _plan(workshop, seeds=(1, 1))
    (other,) = _plan(workshop, seeds=(2,))
    (unknown,) = _plan(workshop, seeds=(3,))
    for run_id in (one, same, other):
        workshop.runs.start(run_id)
    workshop.finish()
    summary = sweep_summary(workshop.runs, SWEEP)
    (best,) = summary.best
    values = {found.run.id: found.scores[0].value for found in summary.runs}
    assert values[one] == values[same] != values[other]
    leaders = (one, same) if values[one] > values[other] else (other,)
    rest = tuple(name for name in (one, same, other) if name not in leaders)
    assert (best.run_ids, best.not_told_apart) == (leaders, rest)
    assert (best.score.k, best.compared, best.unknown) == (1, 3, 1)
    assert unknown not in best.run_ids + best.not_told_apart
    assert sweep_summary(workshop.runs, SWEEP, k=2).best[0].score.k == 2
    assert sweep_summary(workshop.runs, SWEEP, k=99).best == ()
    with pytest.raises(RunNotFound, match="no sweep begins with 'none'"):
        sweep_summary(workshop.runs, "none")


def test_a_toy_is_the_best_only_among_toys(workshop: Workshop) -> None:
    toy = replace(scripted_run.MODEL, caution="toy model, synthetic data")
    plan = replace(scripted_run.plan(), sweep_id=SWEEP)
    toys = [workshop.runs.plan_benchmark(replace(plan, model=toy, seed=seed)) for seed in (1, 2)]
    for run_id in toys:
        workshop.runs.start(run_id)
    workshop.finish()
    summary = sweep_summary(workshop.runs, SWEEP)
    assert summary.best[0].compared == 2
    assert summary.runs[0].run.model_text.endswith(" (toy model, synthetic data)")
    real = _plan(workshop, seeds=(1, 2))
    workshop.runs.start(real[0])
    workshop.finish()
    (best,) = sweep_summary(workshop.runs, SWEEP).best
    assert (best.run_ids, best.compared, best.unknown) == ((real[0],), 1, 1)


def _without_completions(request: object) -> Generation:
    assert isinstance(request, GenerationRequest)
    return replace(scripted_run.generation(request), completions=())


def test_what_was_given_up_is_named_with_its_reason(workshop: Workshop) -> None:
    (run_id,) = _plan(workshop, seeds=(1,))
    workshop.runs.start(run_id)
    workshop.deliver(workshop.wire.take()[0])
    _, fails, busy = map(_without_completions, workshop.wire.take())
    workshop.store(replace(fails, failure="no such model", is_transient=False))
    workshop.store(replace(busy, failure="busy"))
    given_up, again = workshop.runs.progress(run_id).gaps
    assert (given_up.stage, given_up.task_ids, given_up.reason, given_up.is_given_up) == (
        "generation",
        ("T/1",),
        "no such model",
        True,
    )
    assert (again.task_ids, again.is_given_up) == (("T/2",), False)

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from celery.canvas import Signature

import scripted_run
from crucible_infra.database import open_database
from crucible_infra.database.runs import update_run
from crucible_tasks.control import Reconcile
from crucible_tasks.evaluation import EvaluationRequest
from crucible_tasks.generation import GENERATION, GenerationRequest, ModelIdentity
from crucible_tasks.planning import BenchmarkPlan, RunState
from crucible_workers.control_leases import LEASE_SECONDS
from crucible_workers.control_schedule import TURN_SECONDS
from crucible_workers.control_window import LEAST_WAITING
from scripted_run import Workshop

#: more messages than any window of these tests
MANY = 24


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    database = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    yield Workshop(database, tmp_path)
    database.close()


def _begin(workshop: Workshop, plan: BenchmarkPlan) -> str:
    """Start a run and send the first of it; other runs' messages stay on the wire."""
    run_id = workshop.begin(plan)
    workshop.wire.sent.pop()
    workshop.controller.reconcile(Reconcile(run_id))
    return run_id


def _next(workshop: Workshop) -> GenerationRequest | EvaluationRequest:
    """The oldest message, as a worker takes it."""
    sent = workshop.wire.sent
    workshop.wire.sent = sent[:1]
    (request,) = workshop.wire.take()
    workshop.wire.sent = sent[1:]
    assert isinstance(request, (GenerationRequest, EvaluationRequest))
    return request


def _live(name: str, **changes: object) -> BenchmarkPlan:
    model = ModelIdentity(f"ollama:{name}", name, "ollama 0.5", name * 8, "chat")
    return replace(scripted_run.plan(MANY, 1, (1,)), model=model, **changes)  # type: ignore[arg-type]


def test_few_messages_wait_however_many_completions_there_are(workshop: Workshop) -> None:
    run_id = _begin(workshop, scripted_run.plan(MANY, 2))
    most = 0
    while workshop.wire.sent:
        most = max(most, workshop.wire.backlog(GENERATION.queue))
        workshop.deliver(_next(workshop))
    assert workshop.runs.progress(run_id).state is RunState.FINISHED
    assert most == LEAST_WAITING


def test_one_challenge_is_asked_in_as_many_messages_as_there_is_room_for(
    workshop: Workshop,
) -> None:
    plan = replace(_live("m"), n=8 * MANY, dataset=scripted_run.dataset(1))
    run_id = _begin(workshop, plan)
    assert len(workshop.wire.sent) == LEAST_WAITING
    workshop.finish()
    progress = workshop.runs.progress(run_id)
    assert (progress.state, progress.judged) == (RunState.FINISHED, 8 * MANY)


def test_workers_that_take_everything_get_more(workshop: Workshop) -> None:
    _begin(workshop, _live("m"))
    at_work = 0
    for expected in (4, 8, 12, 18, MANY):
        at_work += len(workshop.wire.take())
        assert at_work == expected
        workshop.controller.reconcile(Reconcile())


def test_a_hungry_slow_model_is_looked_at_again_soon(workshop: Workshop) -> None:
    looks: list[int] = []
    workshop.controller = replace(workshop.controller, look_again=lambda: looks.append(1))
    run_id = _begin(workshop, _live("m"))
    assert looks == [1]
    workshop.controller.reconcile(Reconcile(run_id))
    # what was sent still waits: there is no other worker
    assert looks == [1]


def test_a_small_run_starts_behind_a_big_one(workshop: Workshop) -> None:
    _begin(workshop, scripted_run.plan(MANY))
    small = _begin(workshop, scripted_run.plan(1))
    place = [message.args[0]["run_id"] for message in workshop.wire.sent].index(small)
    assert place == LEAST_WAITING


def test_two_runs_share_the_workers(workshop: Workshop) -> None:
    first = _begin(workshop, scripted_run.plan(MANY, 1, (1,)))
    second = _begin(workshop, scripted_run.plan(MANY, 1, (1,)))
    for _ in range(2 * MANY):
        workshop.deliver(_next(workshop))
    done = [workshop.runs.progress(run_id).generated for run_id in (first, second)]
    assert abs(done[0] - done[1]) <= LEAST_WAITING


def test_a_changed_priority_counts_from_the_next_message(workshop: Workshop) -> None:
    first = _begin(workshop, scripted_run.plan(MANY, 1, (1,)))
    second = _begin(workshop, scripted_run.plan(MANY, 1, (1,)))
    with workshop.database.writing() as connection:
        update_run(connection, second, priority=3)
    before = [message.args[0]["run_id"] for message in workshop.wire.sent].count(first)
    while workshop.runs.progress(second).state is RunState.RUNNING:
        workshop.deliver(_next(workshop))
    assert workshop.runs.progress(first).generated <= before + LEAST_WAITING


def test_a_paused_run_sends_nothing_new_and_goes_on_where_it_was(workshop: Workshop) -> None:
    run_id = _begin(workshop, scripted_run.plan(MANY, 1, (1,)))
    with workshop.database.writing() as connection:
        update_run(connection, run_id, state=RunState.PAUSED)
    for _ in range(LEAST_WAITING):
        workshop.deliver(_next(workshop))
    assert workshop.wire.sent == []
    assert workshop.runs.progress(run_id).generated == LEAST_WAITING
    with workshop.database.writing() as connection:
        update_run(connection, run_id, state=RunState.RUNNING)
    workshop.controller.reconcile(Reconcile(run_id))
    workshop.finish()
    assert workshop.runs.progress(run_id).state is RunState.FINISHED


def test_models_of_one_server_do_not_alternate(workshop: Workshop) -> None:
    for name in ("one", "two"):
        _begin(workshop, _live(name))
    models: list[str] = []
    while workshop.wire.sent:
        request = _next(workshop)
        models += [request.model] if isinstance(request, GenerationRequest) else []
        workshop.clock.now += TURN_SECONDS / 20
        workshop.deliver(request)
    assert len(models) == 2 * MANY
    changes = sum(one != other for one, other in pairwise(models))
    # two for the newcomer's first message, and one a minute
    assert changes <= 8


def test_a_controller_killed_before_it_sends_loses_nothing(workshop: Workshop) -> None:
    plan = scripted_run.plan(MANY, 2)
    undisturbed = workshop.begin(plan)
    workshop.finish()
    run_id = workshop.begin(plan)
    workshop.wire.take()
    whole = workshop.controller

    def die(_: Signature) -> None:
        raise SystemExit

    workshop.controller = replace(whole, send=die)
    with pytest.raises(SystemExit):
        workshop.controller.reconcile(Reconcile(run_id))
    workshop.controller = whole
    workshop.controller.reconcile(Reconcile())
    asked = _all_asked(workshop)
    workshop.clock.now += LEASE_SECONDS
    workshop.controller.reconcile(Reconcile())
    asked += _all_asked(workshop)
    assert len(asked) == len(set(asked)) == 2 * 2 * MANY
    assert workshop.runs.progress(run_id).state is RunState.FINISHED
    assert workshop.runs.counts(run_id) == workshop.runs.counts(undisturbed)


def _all_asked(workshop: Workshop) -> list[tuple[str, str, int]]:
    """Do everything that is sent; returns every completion that was asked for."""
    asked: list[tuple[str, str, int]] = []
    while workshop.wire.sent:
        request = _next(workshop)
        indices = (
            request.indices
            if isinstance(request, GenerationRequest)
            else [one.index for one in request.completions]
        )
        asked += [(type(request).__name__, request.task_id, index) for index in indices]
        workshop.deliver(request)
    return asked

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from celery.canvas import Signature

import scripted_run
from crucible_infra.database import open_database
from crucible_infra.errors import BrokerUnavailable
from crucible_tasks.control import Done, Reconcile
from crucible_tasks.evaluation import Evaluation, EvaluationRequest, Judgement
from crucible_tasks.generation import Generation, GenerationRequest, ModelIdentity
from crucible_tasks.planning import RunState
from crucible_tasks.tickets import attempt_of
from crucible_tasks.verdict import Outcome, Verdict
from crucible_workers.control_leases import LEASE_SECONDS
from scripted_run import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    database = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    yield Workshop(database, tmp_path)
    database.close()


def _reconciled(workshop: Workshop) -> list[GenerationRequest]:
    for request in workshop.wire.take():
        workshop.deliver(request)
    requests = workshop.wire.take()
    assert all(isinstance(request, GenerationRequest) for request in requests)
    return requests  # type: ignore[return-value] # asserted


def _failed(request: GenerationRequest, reason: str, *, is_transient: bool = True) -> Generation:
    found = replace(scripted_run.generation(request), completions=())
    return replace(found, failure=reason, is_transient=is_transient)


def _unjudged(request: EvaluationRequest, reason: str) -> Evaluation:
    judgements = tuple(
        Judgement(one.index, Verdict(Outcome.INFRA_ERROR, reason), "fence", None)
        for one in request.completions
    )
    return replace(scripted_run.evaluation(request), judgements=judgements)


def test_an_undisturbed_run_finishes_with_scores(workshop: Workshop) -> None:
    run_id = workshop.begin()
    workshop.finish()
    summary = workshop.runs.summary(run_id)
    assert summary.run.state is RunState.FINISHED
    assert (summary.progress.generated, summary.progress.judged) == (12, 12)
    assert [score.k for score in summary.scores] == [1, 2]
    assert summary.scores[0].value == summary.progress.passed / 12


def test_a_request_carries_all_its_worker_needs(workshop: Workshop) -> None:
    workshop.begin()
    first = _reconciled(workshop)[0]
    assert first.prompt.text == 'def f0():\n    """Answer."""\n'
    assert (first.model, first.indices, attempt_of(first.attempt)) == (
        "replay:answers.jsonl",
        (0, 1, 2, 3),
        0,
    )
    assert first.sampling == scripted_run.plan().sampling


def test_a_live_model_is_asked_in_small_batches(workshop: Workshop) -> None:
    live = ModelIdentity("ollama:m", "m", "ollama 0.5", "d", "chat")
    run_id = workshop.begin(replace(scripted_run.plan(challenges=1, n=20), model=live))
    sizes = [len(request.indices) for request in _reconciled(workshop)]
    assert sizes == [8, 8, 4]
    workshop.runs.resume(run_id)
    workshop.finish()
    assert workshop.runs.progress(run_id).state is RunState.FINISHED


def test_new_completions_are_judged_at_once_and_repeated_ones_are_not(workshop: Workshop) -> None:
    workshop.begin()
    request = _reconciled(workshop)[0]
    found = scripted_run.generation(request)
    workshop.store(replace(found, completions=found.completions[:2]))
    workshop.store(found)
    workshop.store(found)
    asked = [[one.index for one in request.completions] for request in workshop.wire.take()]  # type: ignore[attr-defined]
    assert asked == [[0, 1], [2, 3]]


def test_an_index_nobody_asked_for_is_not_stored(workshop: Workshop) -> None:
    run_id = workshop.begin()
    request = _reconciled(workshop)[0]
    workshop.store(scripted_run.generation(replace(request, indices=(3, 4, 99))))
    more = scripted_run.generation(replace(request, indices=(3, 4)))
    workshop.store(replace(more, indices=request.indices))
    assert workshop.runs.progress(run_id).generated == 0


def test_reconcile_does_not_ask_twice_for_what_is_under_way(workshop: Workshop) -> None:
    run_id = workshop.begin()
    assert len(_reconciled(workshop)) == 3
    workshop.clock.now += LEASE_SECONDS - 1
    workshop.controller.reconcile(Reconcile(run_id))
    workshop.controller.reconcile(Reconcile())
    assert workshop.wire.sent == []


def test_silence_means_that_messages_were_lost(workshop: Workshop) -> None:
    run_id = workshop.begin()
    attempts = [attempt_of(request.attempt) for request in _reconciled(workshop)]
    for _ in range(3):
        workshop.clock.now += LEASE_SECONDS
        workshop.controller.reconcile(Reconcile(run_id))
        attempts += [attempt_of(request.attempt) for request in workshop.wire.take()]  # type: ignore[attr-defined]
    assert attempts == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    progress = workshop.runs.progress(run_id)
    assert progress.state is RunState.INCOMPLETE
    assert progress.failures == ("3 challenges: no answer: the message was lost",)
    assert progress.infra == 12


def test_a_transient_failure_is_tried_three_times_and_its_reason_kept(workshop: Workshop) -> None:
    run_id = workshop.begin(scripted_run.plan(challenges=2))
    first, second = _reconciled(workshop)
    asked = 0
    waiting: list[object] = [first]
    while waiting:
        (again,) = waiting
        assert isinstance(again, GenerationRequest)
        asked += 1
        workshop.store(_failed(again, "connection refused"))
        waiting = workshop.wire.take()
    assert asked == 3
    assert workshop.runs.progress(run_id).state is RunState.RUNNING
    workshop.deliver(second)
    workshop.finish()
    progress = workshop.runs.progress(run_id)
    assert progress.state is RunState.INCOMPLETE
    assert (progress.judged, progress.infra) == (4, 4)
    assert progress.failures == ("T/0: connection refused",)


def test_a_failure_told_twice_counts_once(workshop: Workshop) -> None:
    run_id = workshop.begin(scripted_run.plan(challenges=1))
    (request,) = _reconciled(workshop)
    for _ in range(5):
        workshop.store(_failed(request, "busy"))
    workshop.finish()
    assert workshop.runs.progress(run_id).state is RunState.FINISHED


def test_a_permanent_failure_is_not_tried_again(workshop: Workshop) -> None:
    run_id = workshop.begin(scripted_run.plan(challenges=1))
    (request,) = _reconciled(workshop)
    workshop.store(_failed(request, "no such model", is_transient=False))
    assert workshop.wire.sent == []
    progress = workshop.runs.progress(run_id)
    assert progress.state is RunState.INCOMPLETE
    assert progress.failures == ("T/0: no such model",)


def test_only_what_failed_is_asked_again(workshop: Workshop) -> None:
    workshop.begin(scripted_run.plan(challenges=1))
    (request,) = _reconciled(workshop)
    half = scripted_run.generation(replace(request, indices=(0, 1)))
    workshop.store(replace(half, failure="cut off", indices=request.indices))
    evaluation, again = workshop.wire.take()
    assert isinstance(evaluation, EvaluationRequest)
    assert isinstance(again, GenerationRequest)
    assert (again.indices, attempt_of(again.attempt)) == ((2, 3), 1)


def test_a_hosts_failure_is_never_a_verdict(workshop: Workshop) -> None:
    run_id = workshop.begin(scripted_run.plan(challenges=1, n=2))
    workshop.deliver(_reconciled(workshop)[0])
    for _ in range(3):
        (request,) = workshop.wire.take()
        assert isinstance(request, EvaluationRequest)
        assert [one.index for one in request.completions] == [0, 1]
        workshop.store(_unjudged(request, "no user namespaces"))
    assert workshop.wire.sent == []
    summary = workshop.runs.summary(run_id)
    assert summary.run.state is RunState.INCOMPLETE
    assert (summary.quality.infra_errors, summary.quality.missing) == (2, 0)
    rows = workshop.runs.verdict_rows(run_id)
    assert {row.outcome for row in rows} == {Outcome.INFRA_ERROR}
    workshop.runs.resume(run_id)
    workshop.finish()
    assert workshop.runs.progress(run_id).state is RunState.FINISHED


def test_a_late_answer_completes_a_run_that_was_given_up(workshop: Workshop) -> None:
    run_id = workshop.begin(scripted_run.plan(challenges=1))
    (request,) = _reconciled(workshop)
    workshop.store(_failed(request, "gone", is_transient=False))
    workshop.deliver(request)
    workshop.finish()
    assert workshop.runs.progress(run_id).state is RunState.FINISHED


def test_another_versions_verdicts_do_not_count(workshop: Workshop) -> None:
    run_id = workshop.begin(scripted_run.plan(challenges=1))
    workshop.deliver(_reconciled(workshop)[0])
    (request,) = workshop.wire.take()
    assert isinstance(request, EvaluationRequest)
    workshop.store(replace(scripted_run.evaluation(request), grader="old/0+x"))
    progress = workshop.runs.progress(run_id)
    assert progress.judged == 0
    assert "judged by old/0+x, wanted" in progress.failures[0]
    workshop.finish()
    assert workshop.runs.progress(run_id).state is RunState.FINISHED


def test_a_stopped_run_stores_what_arrives_and_sends_nothing(workshop: Workshop) -> None:
    run_id = workshop.begin()
    first, second, third = _reconciled(workshop)
    workshop.deliver(first)
    (evaluation,) = workshop.wire.take()
    workshop.runs.stop(run_id)
    workshop.deliver(evaluation)
    workshop.deliver(second)
    workshop.store(_failed(third, "busy"))
    workshop.controller.reconcile(Reconcile(run_id))
    assert workshop.wire.sent == []
    progress = workshop.runs.progress(run_id)
    assert (progress.state, progress.generated, progress.judged) == (RunState.STOPPED, 8, 4)
    workshop.runs.resume(run_id)
    workshop.finish()
    assert workshop.runs.progress(run_id).state is RunState.FINISHED


def test_answers_about_unknown_runs_are_dropped(workshop: Workshop) -> None:
    assert workshop.controller.store_completions(Generation("gone", "T/0", ())) == Done()
    assert workshop.controller.store_verdicts(Evaluation("gone", "T/0", "g", ())) == Done()
    assert workshop.controller.reconcile(Reconcile("gone")) == Done()


def test_a_laptop_leaves_other_commands_runs_alone(workshop: Workshop) -> None:
    run_id = workshop.begin()
    workshop.wire.take()
    alone = replace(workshop.controller, adopts_runs=False, _own_runs=set())
    alone.reconcile(Reconcile())
    assert workshop.wire.sent == []
    workshop.controller.reconcile(Reconcile())
    assert len(workshop.wire.take()) == 3
    workshop.runs.resume(run_id)
    workshop.wire.take()
    alone.reconcile(Reconcile(run_id))
    assert len(workshop.wire.take()) == 3
    workshop.clock.now += LEASE_SECONDS
    alone.reconcile(Reconcile())
    assert len(workshop.wire.take()) == 3


def test_what_a_dead_broker_refused_is_sent_by_the_next_reconcile(workshop: Workshop) -> None:
    run_id = workshop.begin()
    workshop.wire.take()
    delivered: list[Signature] = []

    def send(message: Signature) -> None:
        if len(delivered) == 1:
            raise BrokerUnavailable
        delivered.append(message)

    broken = replace(workshop.controller, send=send)
    with pytest.raises(BrokerUnavailable):
        broken.reconcile(Reconcile(run_id))
    workshop.controller.reconcile(Reconcile())
    asked = [request.task_id for request in workshop.wire.take()]  # type: ignore[attr-defined]
    assert asked == ["T/1", "T/2"]


def test_verdicts_wait_out_a_dead_broker_too(workshop: Workshop) -> None:
    run_id = workshop.begin(scripted_run.plan(challenges=1))
    (request,) = _reconciled(workshop)

    def send(_: Signature) -> None:
        raise BrokerUnavailable

    with pytest.raises(BrokerUnavailable):
        replace(workshop.controller, send=send).store_completions(scripted_run.generation(request))
    workshop.controller.reconcile(Reconcile())
    workshop.finish()
    assert workshop.runs.progress(run_id).state is RunState.FINISHED


def test_a_regrade_judges_again_and_samples_nothing(workshop: Workshop) -> None:
    run_id = workshop.begin()
    workshop.finish()
    before = workshop.runs.counts(run_id)
    workshop.runs.regrade(run_id)
    progress = workshop.runs.progress(run_id)
    assert (progress.state, progress.judged) == (RunState.RUNNING, 0)
    assert workshop.runs.counts(run_id) == before
    workshop.deliver(workshop.wire.take()[0])
    requests = workshop.wire.take()
    assert all(isinstance(request, EvaluationRequest) for request in requests)
    for request in requests:
        assert isinstance(request, EvaluationRequest)
        assert request.is_afresh
        judgements = tuple(
            Judgement(one.index, Verdict(Outcome.ERROR), "fence", None)
            for one in request.completions
        )
        workshop.store(replace(scripted_run.evaluation(request), judgements=judgements))
    summary = workshop.runs.summary(run_id)
    assert summary.run.state is RunState.FINISHED
    assert summary.scores[0].value == 0.0


def test_a_regrade_of_an_incomplete_run_leaves_the_missing_missing(workshop: Workshop) -> None:
    run_id = workshop.begin(scripted_run.plan(challenges=2))
    first, second = _reconciled(workshop)
    workshop.store(_failed(second, "gone", is_transient=False))
    workshop.deliver(first)
    workshop.finish()
    workshop.runs.regrade(run_id)
    workshop.finish()
    progress = workshop.runs.progress(run_id)
    assert (progress.state, progress.generated) == (RunState.INCOMPLETE, 4)
    assert progress.judged == 4
    workshop.runs.resume(run_id)
    workshop.finish()
    assert workshop.runs.progress(run_id).state is RunState.FINISHED

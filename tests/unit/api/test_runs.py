from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import scripted_run
from crucible_api.runs import open_runs
from crucible_infra import settings
from crucible_infra.database import open_database
from crucible_infra.database.runs import update_run
from crucible_infra.errors import FormatError, InvalidInput, RunNotFound
from crucible_infra.owner import own_mark
from crucible_tasks.challenge import Limits
from crucible_tasks.completion import Form
from crucible_tasks.control import Reconcile
from crucible_tasks.planning import ImportedCompletion, RunKind, RunState, new_id
from crucible_tasks.sampling import seed_base
from crucible_tasks.verdict import Outcome
from scripted_run import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    database = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    yield Workshop(database, tmp_path)
    database.close()


def _imported(*task_ids: str) -> list[ImportedCompletion]:
    return [
        ImportedCompletion(task_id, Form.COMPLETION, f"    return {line}\n", line)
        for line, task_id in enumerate(task_ids, start=1)
    ]


def _evaluate(workshop: Workshop, *task_ids: str) -> str:
    return workshop.runs.plan_evaluation(
        scripted_run.dataset(), _imported(*task_ids), (1,), Limits(cpu_seconds=9), "s.jsonl"
    )


def test_an_id_is_the_time_and_four_characters() -> None:
    assert re.fullmatch(r"20261122-153045-[a-hjkmnp-z2-9]{4}", new_id(1795361445.7))
    assert new_id(0) < new_id(1) < new_id(86400)


def test_a_planned_run_has_sent_nothing(workshop: Workshop) -> None:
    run_id = workshop.runs.plan_benchmark(scripted_run.plan())
    progress = workshop.runs.progress(run_id)
    assert (progress.state, progress.planned, progress.generated) == (RunState.PLANNED, 12, 0)
    assert not progress.is_over
    assert workshop.wire.sent == []
    summary = workshop.runs.summary(run_id)
    assert math.isnan(summary.scores[0].value)
    assert summary.seconds is None


def test_starting_asks_the_controller(workshop: Workshop) -> None:
    run_id = workshop.begin()
    assert workshop.wire.take() == [Reconcile(run_id)]
    assert workshop.runs.progress(run_id).state is RunState.RUNNING


def test_a_finished_run_is_not_started_again(workshop: Workshop) -> None:
    run_id = workshop.begin()
    workshop.finish()
    workshop.runs.start(run_id)
    workshop.runs.stop(run_id)
    assert workshop.wire.sent == []
    assert workshop.runs.progress(run_id).state is RunState.FINISHED


def test_stopping_tells_whether_there_was_anything_to_stop(workshop: Workshop) -> None:
    run_id = workshop.begin()
    assert workshop.runs.stop(run_id)
    assert not workshop.runs.stop(run_id)


def test_a_run_whose_process_has_ended_is_interrupted_until_somebody_resumes_it(
    workshop: Workshop,
) -> None:
    run_id = workshop.begin()
    mark = own_mark()
    assert mark is not None
    place, _, started = mark.rpartition(" ")
    with workshop.database.writing() as connection:
        update_run(connection, run_id, owner=f"{place} {int(started) - 1}")
    assert workshop.runs.progress(run_id).state is RunState.INTERRUPTED
    assert workshop.runs.progress(run_id).is_over
    assert workshop.runs.list_runs()[0].state is RunState.INTERRUPTED
    assert workshop.runs.summary(run_id).run.state is RunState.INTERRUPTED
    workshop.runs.resume(run_id)
    assert workshop.runs.progress(run_id).state is RunState.RUNNING


def test_the_time_of_a_run_leaves_its_pauses_out(workshop: Workshop) -> None:
    run_id = workshop.begin()
    now = time.time()
    with workshop.database.writing() as connection:
        # an hour ago it worked for ten seconds and was killed
        update_run(connection, run_id, started_at=now - 3600, heard_at=now - 3590)
    assert workshop.runs.summary(run_id).seconds == pytest.approx(10)
    workshop.runs.resume(run_id)
    assert workshop.runs.summary(run_id).seconds == pytest.approx(10)
    with workshop.database.writing() as connection:
        update_run(connection, run_id, heard_at=time.time() + 5)
    assert workshop.runs.summary(run_id).seconds == pytest.approx(15, abs=0.5)
    workshop.clock.now = time.time() + 5
    workshop.finish()
    assert workshop.runs.summary(run_id).seconds == pytest.approx(15, abs=0.5)


def test_a_plan_of_nothing_is_refused(workshop: Workshop) -> None:
    with pytest.raises(InvalidInput):
        workshop.runs.plan_benchmark(scripted_run.plan(n=0))


def test_a_limit_changes_no_seed(workshop: Workshop) -> None:
    for challenges in (1, 3):
        workshop.begin(scripted_run.plan(challenges=challenges))
        workshop.deliver(workshop.wire.take()[0])
        first = workshop.wire.take()[0]
        assert first.seed_base == seed_base(7, "scripted", "T/0")  # type: ignore[attr-defined]


def test_imported_completions_keep_the_order_of_their_file(workshop: Workshop) -> None:
    run_id = _evaluate(workshop, "T/2", "T/0", "T/2")
    info = workshop.runs.find_run(run_id)
    assert (info.kind, info.model, info.challenges) == (RunKind.EVALUATION, "s.jsonl", 2)
    assert (info.n, info.temperature) == (2, None)
    rows = workshop.runs.verdict_rows(run_id)
    assert [(row.task_id, row.index, row.line) for row in rows] == [
        ("T/2", 0, 1),
        ("T/0", 0, 2),
        ("T/2", 1, 3),
    ]
    assert {(row.outcome, row.passed, row.mode) for row in rows} == {(Outcome.MISSING, False, None)}


def test_imported_completions_are_judged_and_never_sampled(workshop: Workshop) -> None:
    run_id = _evaluate(workshop, "T/2", "T/0", "T/2")
    workshop.runs.start(run_id)
    workshop.deliver(workshop.wire.take()[0])
    requests = workshop.wire.take()
    assert [len(request.completions) for request in requests] == [1, 2]  # type: ignore[attr-defined]
    assert {request.limits for request in requests} == {Limits(cpu_seconds=9)}  # type: ignore[attr-defined]
    for request in requests:
        workshop.deliver(request)
    summary = workshop.runs.summary(run_id)
    assert (summary.run.state, summary.scores[0].challenges) == (RunState.FINISHED, 2)
    assert summary.manifest["dataset"]["challenges"] == 3
    assert summary.manifest["source"] == "s.jsonl"


def test_a_challenge_the_dataset_lacks_is_named_by_line(workshop: Workshop) -> None:
    with pytest.raises(FormatError) as caught:
        _evaluate(workshop, "T/0", "X/1")
    assert caught.value.message == "s.jsonl:2: scripted has no challenge 'X/1'"
    assert "'T/0'" in (caught.value.hint or "")


def test_an_evaluation_of_nothing_is_refused(workshop: Workshop) -> None:
    with pytest.raises(InvalidInput, match=r"s\.jsonl: no completions"):
        _evaluate(workshop)


def test_runs_are_listed_newest_first(workshop: Workshop) -> None:
    ids = [workshop.runs.plan_benchmark(scripted_run.plan()) for _ in range(3)]
    assert [info.id for info in workshop.runs.list_runs(2)] == [ids[2], ids[1]]
    assert workshop.runs.find_run("latest").id == ids[2]


def test_a_run_is_found_by_a_part_of_its_id(workshop: Workshop) -> None:
    run_id = workshop.runs.plan_benchmark(replace(scripted_run.plan(), sweep_id="sweep"))
    for text in (run_id, run_id[:10], run_id[-4:]):
        info = workshop.runs.find_run(text)
        assert (info.id, info.sweep_id, info.temperature) == (run_id, "sweep", 0.8)


@pytest.mark.parametrize("text", ["latest", "2026", "", "%", "_"])
def test_what_is_no_run_is_not_found(workshop: Workshop, text: str) -> None:
    with pytest.raises(RunNotFound):
        workshop.runs.find_run(text)


def test_an_ambiguous_id_lists_what_it_could_be(workshop: Workshop) -> None:
    ids = [workshop.runs.plan_benchmark(scripted_run.plan()) for _ in range(4)]
    with pytest.raises(RunNotFound, match=f"several runs match .*{ids[3]}.*…"):
        workshop.runs.find_run("20")


@pytest.mark.parametrize("method", ["progress", "summary", "counts", "start", "stop", "regrade"])
def test_every_question_about_an_unknown_run_says_so(workshop: Workshop, method: str) -> None:
    with pytest.raises(RunNotFound, match="no run is called nothing"):
        getattr(workshop.runs, method)("nothing")


def test_the_manifest_tells_all_that_a_repetition_needs(workshop: Workshop) -> None:
    run_id = workshop.runs.plan_benchmark(scripted_run.plan())
    manifest = workshop.runs.summary(run_id).manifest
    assert manifest["dataset"] == {
        "name": "scripted",
        "format": "own",
        "digest": scripted_run.dataset().digest,
        "challenges": 3,
    }
    assert manifest["model"]["digest"] == "d" * 64
    assert manifest["sampling"]["top_p"] == 0.95
    assert (manifest["n"], manifest["seed"], manifest["limits"]) == (4, 7, None)
    assert {"prompt", "extractor", "grader", "seed_rule", "created"} <= manifest.keys()
    assert {"platform", "cpu", "cores", "python"} <= manifest["host"].keys()
    assert {"codecrucible", "sqlalchemy", "celery"} <= manifest["packages"].keys()


def test_the_settings_name_the_database(crucible_home: Path) -> None:
    runs = open_runs(settings.current())
    assert runs.list_runs() == ()
    assert (crucible_home / "crucible.db").exists()
    runs.database.close()

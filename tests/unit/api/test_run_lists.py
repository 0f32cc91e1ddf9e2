"""The leaderboard, the list of runs and the grid, over a filled database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crucible_api.grid import grid
from crucible_api.leaderboard import leaderboard
from crucible_api.listed_runs import list_of_runs
from crucible_api.one_completion import one_completion
from crucible_api.runs import Runs
from crucible_infra.artifacts import open_store
from crucible_infra.database import open_database
from crucible_infra.database.run_search import RunSearch
from crucible_infra.database.runs import update_run
from crucible_infra.errors import InvalidInput, RunNotFound
from crucible_tasks.planning import BenchmarkPlan, RunState
from crucible_tasks.sampling import Sampling
from crucible_tasks.verdict import Outcome
from filled_database import Filled, fill
from filled_questions import SMALL, shop
from filled_runs import Sketch, write_run

Full = tuple[Runs, Filled]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Full]:
    directory = tmp_path_factory.mktemp("filled")
    database = open_database(f"sqlite:///{directory / 'x.db'}")
    artifacts = open_store(str(directory / "artifacts"))
    yield Runs(database, artifacts, send=lambda _: None), fill(database, artifacts)
    database.close()


def test_a_line_is_a_setting_and_one_of_its_runs(full: Full) -> None:
    runs, filled = full
    found = leaderboard(runs, "starter", 1)
    shown = [line.run.id for line in found.lines]
    assert len(shown) == len(set(shown))
    assert filled.toy not in shown
    # it has no score, as challenges of it have no verdict
    assert filled.gappy not in shown
    assert found.lines[0].rank == 1
    assert [line.score.value for line in found.lines] == sorted(
        (line.score.value for line in found.lines), reverse=True
    )


def test_the_newest_complete_run_stands_for_its_setting(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    artifacts = open_store(str(tmp_path / "artifacts"))
    runs = Runs(database, artifacts, send=lambda _: None)
    plan = BenchmarkPlan(SMALL, shop(), Sampling(), 2, (1,), seed=1)
    first, second, third = (
        write_run(database, artifacts, Sketch(replace(plan, seed=seed), 0.5, 1e9 + seed), seed)
        for seed in (1, 2, 3)
    )

    def shown() -> list[str]:
        return [line.run.id for line in leaderboard(runs).lines]

    assert shown() == [third]
    _give_up(runs, third)
    assert shown() == [second]
    _give_up(runs, first)
    _give_up(runs, second)
    # none is complete
    assert shown() == [third]
    database.close()


def test_a_run_with_more_answers_stands_for_its_setting_before_a_newer_one(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'x.db'}")
    artifacts = open_store(str(tmp_path / "artifacts"))
    runs = Runs(database, artifacts, send=lambda _: None)
    large, small = (
        write_run(
            database,
            artifacts,
            Sketch(BenchmarkPlan(SMALL, shop(), Sampling(), n, (1,), seed=n), 0.5, created_at),
            n,
        )
        for n, created_at in ((5, 1e9), (2, 2e9))
    )

    assert [line.run.id for line in leaderboard(runs).lines] == [large]
    _give_up(runs, large)
    assert [line.run.id for line in leaderboard(runs).lines] == [small]
    database.close()


def _give_up(runs: Runs, run_id: str) -> None:
    with runs.database.writing() as connection:
        update_run(connection, run_id, state=RunState.INCOMPLETE)


def test_toys_are_apart_with_their_reason(full: Full) -> None:
    runs, filled = full
    found = leaderboard(runs, "starter", 1)
    reasons = {line.run.id: (line.rank, line.reason) for line in found.apart}
    assert reasons[filled.toy] == (None, "toy model, synthetic data")


def test_a_rank_is_shared_by_those_the_comparison_cannot_tell_apart(full: Full) -> None:
    lines = leaderboard(full[0], "starter", 1).lines
    shared = [line for line in lines if line.rank == 1]
    assert len(shared) > 1
    assert all(line.is_tied for line in shared)
    # the next rank counts those before it
    behind = [line.rank for line in lines if line.rank != 1]
    assert behind[0] == len(shared) + 1


def test_a_board_or_k_without_scores_is_refused_with_what_there_is(full: Full) -> None:
    with pytest.raises(InvalidInput) as refused:
        leaderboard(full[0], "nothing")
    assert "starter" in (refused.value.hint or "")
    with pytest.raises(InvalidInput, match="pass@77"):
        leaderboard(full[0], "starter", 77)


def test_runs_are_found_by_model_dataset_and_state(full: Full) -> None:
    runs, filled = full

    def ids(search: RunSearch, state: RunState | None = None) -> list[str]:
        return [one.run.id for one in list_of_runs(runs, search, state, limit=99).runs]

    assert ids(RunSearch(), RunState.INTERRUPTED) == [filled.interrupted]
    assert ids(RunSearch(), RunState.RUNNING) == [filled.running]
    assert ids(RunSearch(), RunState.INCOMPLETE) == [filled.gappy]
    # a registered model by its name, which its spec does not hold
    assert filled.registered in ids(RunSearch(model="Shop-First"))
    assert filled.base not in ids(RunSearch(model="shop-first"))
    assert ids(RunSearch(model="100%")) == []
    assert filled.toy not in ids(RunSearch(dataset="shop"))


def test_parts_of_the_list_are_all_of_it_once(full: Full) -> None:
    runs, _ = full
    found, after = [], None
    while True:
        part = list_of_runs(runs, RunSearch(), after=after, limit=5)
        found += [one.run.id for one in part.runs]
        after = part.next
        if after is None:
            break
    whole = [one.id for one in runs.list_runs(999)]
    assert found == whole
    with pytest.raises(InvalidInput):
        list_of_runs(runs, RunSearch(), after="nonsense")


def test_a_run_of_the_list_tells_how_far_it_is_and_its_score(full: Full) -> None:
    runs, filled = full
    listed = {one.run.id: one for one in list_of_runs(runs, RunSearch(), limit=99).runs}
    large, gappy = listed[filled.large], listed[filled.gappy]
    assert large.planned == large.judged == runs.progress(filled.large).judged
    assert large.scores == runs.summary(filled.large).scores
    assert gappy.judged == runs.progress(filled.gappy).judged < gappy.planned
    assert listed[filled.running].scores == ()


def test_the_grid_holds_every_outcome_where_it_belongs(full: Full) -> None:
    runs, filled = full
    found = grid(runs, filled.large)
    counts = {item.outcome: item.count for item in runs.progress(filled.large).outcomes}
    assert {one: found.count(one) for one in Outcome if found.count(one)} == counts
    verdicts = runs.verdict_rows(filled.large)
    letters = {
        (row.task_id, index): one for row in found.rows for index, one in enumerate(row.letters)
    }
    assert {key for key, one in letters.items() if one == "P"} == {
        (one.task_id, one.index) for one in verdicts if one.passed
    }


def test_the_grid_is_sorted_by_rate_and_kept_to_an_outcome(full: Full) -> None:
    runs, filled = full
    found = grid(runs, filled.large)
    rates = [row.rate or 0.0 for row in found.sorted_by_rate().rows]
    assert rates == sorted(rates)
    timed_out = found.with_outcome(Outcome.TIMED_OUT)
    assert 0 < len(timed_out.rows) < len(found.rows)
    assert all("T" in row.letters for row in timed_out.rows)


def test_what_is_missing_is_told_from_what_is_given_up(full: Full) -> None:
    runs, filled = full
    gappy, running = grid(runs, filled.gappy), grid(runs, filled.running)
    assert gappy.count(Outcome.INFRA_ERROR) > 0
    assert running.count(Outcome.INFRA_ERROR) == 0
    assert running.count(Outcome.MISSING) == running.width * len(running.rows) - (
        runs.progress(filled.running).judged
    )


def test_a_completion_that_is_not_there_is_told_from_one_that_cannot_be(full: Full) -> None:
    runs, filled = full
    row = grid(runs, filled.planned).rows[0]
    planned = one_completion(runs, filled.planned, row.task_id)
    assert (planned.completion, planned.outcome, planned.failure) == (None, Outcome.MISSING, None)
    with pytest.raises(RunNotFound, match="0 to 0"):
        one_completion(runs, filled.planned, row.task_id, 1)
    with pytest.raises(RunNotFound, match="no challenge"):
        one_completion(runs, filled.planned, "elsewhere/1")
    with pytest.raises(RunNotFound):
        one_completion(runs, "20200101-000000-none", row.task_id)


def test_a_completion_shows_the_program_that_was_judged(full: Full) -> None:
    runs, filled = full
    row = grid(runs, filled.large).rows[1]
    found = one_completion(runs, filled.large, row.task_id, row.letters.index("P"))
    assert found.extraction is not None
    assert not found.is_other_program
    assert found.letters == row.letters
    assert (found.previous, found.following) == tuple(
        grid(runs, filled.large).rows[place].task_id for place in (0, 2)
    )
    assert filled.large not in [one.id for one in found.others]

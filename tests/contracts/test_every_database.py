from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

import scripted_run
from crucible_api.member_runs import cost_of
from crucible_infra.database import Database, open_database, upgrade
from crucible_infra.database.any_text import AnyText
from crucible_infra.database.completions import (
    CompletionRow,
    each_completion,
    insert_completions,
)
from crucible_infra.database.counts import graded_counts, outcome_counts, text_count
from crucible_infra.database.runs import RunRow, find_run, lock_run, running_ids, update_run
from crucible_infra.database.verdicts import VerdictRow, insert_verdicts, judged_indices
from crucible_infra.errors import SchemaOutdated
from crucible_tasks.planning import RunState
from crucible_tasks.verdict import Outcome

ODD_TEXT = "a\x00b\x10c\ud800d\U0001f600\r\n\u2028"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'crucible.db'}"
    return str(request.getfixturevalue("postgres_database_url"))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    upgrade(database_url)
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def run(database: Database, tmp_path: Path) -> RunRow:
    run_id = scripted_run.Workshop(database, tmp_path).runs.plan_benchmark(scripted_run.plan())
    with database.reading() as connection:
        found = find_run(connection, run_id)
    assert found is not None
    return found


def _completion(run: RunRow, index: int, text: str, finish: str = "stop") -> CompletionRow:
    return CompletionRow(run.id, "T/0", index, "continuation", text, 2**40, finish, None, 12, 0.5)


def _verdict(run: RunRow, index: int, outcome: str, grade_round: int = 0) -> VerdictRow:
    return VerdictRow(
        run.id,
        "T/0",
        index,
        run.grader,
        grade_round,
        outcome,
        ODD_TEXT,
        0.1,
        0.2,
        "split",
        "x",
        None,
    )


def test_a_text_comes_back_as_it_went_in(database: Database, run: RunRow) -> None:
    with database.writing() as connection:
        insert_completions(connection, [_completion(run, 0, ODD_TEXT)])
    with database.reading() as connection:
        assert list(each_completion(connection, run.id)) == [_completion(run, 0, ODD_TEXT)]


def test_an_energy_comes_back_and_one_that_is_not_known_leaves_no_sum(
    database: Database, run: RunRow
) -> None:
    known = [replace(_completion(run, index, "x"), joules=12.125) for index in (0, 1)]
    sums = []
    for rows in ([], known, [_completion(run, 2, "x")]):
        with database.writing() as connection:
            insert_completions(connection, rows)
        with database.reading() as connection:
            sums.append(cost_of(connection, run).joules)
    assert sums == [None, 24.25, None]
    with database.reading() as connection:
        found = list(each_completion(connection, run.id))
    assert [row.joules for row in found] == [12.125, 12.125, None]


def test_the_first_text_of_an_index_stays(database: Database, run: RunRow) -> None:
    for text in ("first", "second"):
        with database.writing() as connection:
            insert_completions(connection, [_completion(run, 0, text), _completion(run, 1, text)])
    with database.reading() as connection:
        assert [row.text for row in each_completion(connection, run.id)] == ["first", "first"]


def test_a_verdict_stays_until_a_later_round(database: Database, run: RunRow) -> None:
    with database.writing() as connection:
        insert_completions(connection, [_completion(run, 0, "x")])
        insert_verdicts(connection, [_verdict(run, 0, "passed")])
        insert_verdicts(connection, [_verdict(run, 0, "failed")])
        assert outcome_counts(connection, run, Outcome) == {"passed": 1}
        insert_verdicts(connection, [_verdict(run, 0, "error", grade_round=1)])
        insert_verdicts(connection, [_verdict(run, 0, "failed", grade_round=0)])
        assert outcome_counts(connection, run, Outcome) == {}
        assert [count.judged for count in graded_counts(connection, run)] == [1, 0, 0]
        assert judged_indices(connection, run, "T/0") == frozenset()


def test_a_failed_transaction_leaves_nothing(database: Database, run: RunRow) -> None:
    def fail() -> None:
        with database.writing() as connection:
            insert_completions(connection, [_completion(run, 0, "x")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.reading() as connection:
        assert list(each_completion(connection, run.id)) == []


def test_a_verdict_without_its_completion_is_refused(database: Database, run: RunRow) -> None:
    with pytest.raises(sqlalchemy.exc.IntegrityError), database.writing() as connection:
        insert_verdicts(connection, [_verdict(run, 0, "passed")])


def test_texts_are_counted_per_challenge(database: Database, run: RunRow) -> None:
    rows = [
        _completion(run, 0, " \t\r\n"),
        _completion(run, 1, "same", "length"),
        _completion(run, 2, "same"),
    ]
    with database.writing() as connection:
        insert_completions(connection, rows)
        found = text_count(connection, run.id)
    assert (found.empty, found.truncated, found.duplicates) == (1, 1, 1)


def test_the_most_urgent_run_that_is_not_paused_comes_first(
    database: Database, tmp_path: Path
) -> None:
    runs = scripted_run.Workshop(database, tmp_path).runs
    old, young, urgent, paused = (runs.plan_benchmark(scripted_run.plan()) for _ in range(4))
    with database.writing() as connection:
        for run_id in (old, young, urgent):
            update_run(connection, run_id, state=RunState.RUNNING)
        update_run(connection, urgent, priority=10)
        update_run(connection, young, priority=-10)
        update_run(connection, paused, priority=5, state=RunState.PAUSED)
        assert running_ids(connection) == (urgent, old, young)
        found = find_run(connection, paused)
    assert found is not None
    assert (found.priority, found.state) == (5, "paused")


def test_writers_of_one_run_take_turns(database: Database, run: RunRow) -> None:
    order: list[str] = []
    has_lock = threading.Event()

    def second() -> None:
        has_lock.wait(10)
        with database.writing() as connection:
            lock_run(connection, run.id)
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with database.writing() as connection:
        lock_run(connection, run.id)
        has_lock.set()
        thread.join(0.3)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_a_newer_schema_is_refused(database: Database, database_url: str) -> None:
    with database.writing() as connection:
        connection.execute(sqlalchemy.text("UPDATE alembic_version SET version_num = '9999'"))
    for attempt in (open_database, upgrade):
        with pytest.raises(SchemaOutdated, match="at 9999, newer than this program's"):
            attempt(database_url)


def test_an_upgrade_can_be_repeated(database: Database, database_url: str, run: RunRow) -> None:
    upgrade(database_url)
    with database.reading() as connection:
        assert find_run(connection, run.id) == run


def test_an_empty_postgres_names_the_command(postgres_database_url: str) -> None:
    with pytest.raises(SchemaOutdated) as caught:
        open_database(postgres_database_url)
    assert caught.value.hint == "crucible db upgrade"


def test_concurrent_upgrades_of_postgres_are_one(postgres_database_url: str) -> None:
    failures: list[BaseException] = []

    def attempt() -> None:
        try:
            upgrade(postgres_database_url)
        except BaseException as error:  # noqa: BLE001 -- handed to the test
            failures.append(error)

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []


@given(st.text(st.characters(codec=None)))
def test_every_text_can_be_stored_and_read_back(text: str) -> None:
    column = AnyText()
    dialect = sqlalchemy.dialects.sqlite.dialect()
    stored = column.process_bind_param(text, dialect)
    assert stored is not None
    assert "\x00" not in stored
    stored.encode()
    assert column.process_result_value(stored, dialect) == text

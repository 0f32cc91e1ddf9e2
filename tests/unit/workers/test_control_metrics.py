"""The controller's figures: rarely enough, true, and honest about what it does not reach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu import Connection, Exchange, Queue

import scripted_run
from crucible_infra.database import Database, open_database
from crucible_infra.database.connection import connect
from crucible_infra.database.runs import update_run
from crucible_infra.metrics import Figure
from crucible_workers import control_metrics
from crucible_workers.control_metrics import FRESH_SECONDS, SHARE, BrokerState, Paced

CHALLENGES, N = 3, 4


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'crucible.db'}")
    yield opened
    opened.close()


def _values(figures: Iterator[Figure]) -> dict[str, float]:
    return {" ".join((one.name, *one.labels.values())): one.value for one in figures}


def test_the_database_tells_what_running_runs_lack(database: Database, tmp_path: Path) -> None:
    workshop = scripted_run.Workshop(database, tmp_path)
    first, second = (
        workshop.runs.plan_benchmark(scripted_run.plan(CHALLENGES, N)) for _ in range(2)
    )
    with database.writing() as connection:
        update_run(connection, first, state="running", heard_at=0.0)
        update_run(connection, second, state="stopped")
    found = _values(control_metrics.database_figures(database))

    assert found["crucible_runs running"] == found["crucible_runs stopped"] == 1
    assert found["crucible_runs finished"] == 0
    # the stopped one waits for nothing
    assert found["crucible_missing_completions"] == CHALLENGES * N
    assert found["crucible_missing_verdicts"] == 0
    assert found["crucible_longest_silence_seconds"] > 10**9
    assert found["crucible_controller_reaches database"] == 1


def test_a_database_that_is_away_is_said_and_nothing_is_made_up(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("no database at all, and long enough to be looked at" * 20)
    away = connect(f"sqlite:///{tmp_path / 'x.db'}")

    assert _values(control_metrics.database_figures(away)) == {
        "crucible_controller_reaches database": 0
    }
    away.close()


def test_a_broker_that_is_away_is_said_and_nothing_is_made_up() -> None:
    def read() -> BrokerState:
        raise ConnectionError("refused")

    assert _values(control_metrics.broker_figures(read)) == {
        "crucible_controller_reaches broker": 0
    }


def test_messages_are_counted_by_queue_with_those_of_models_nobody_knows(redis_url: str) -> None:
    with Connection(redis_url) as connection:
        channel = connection.channel()
        Queue("generation.of-a-model", Exchange("controller"))(channel).declare()
        channel.client.lpush("generation.of-a-model", "1", "2", "3")
        channel.client.zadd(channel.unacked_index_key, {"tag": 5.0})
        channel.client.hset(channel.unacked_key, "tag", "message")
        try:
            state = control_metrics.read_broker(connection)
        finally:
            channel.client.delete(channel.unacked_key, channel.unacked_index_key)
            channel.queue_delete("generation.of-a-model")

    assert state.waiting["generation.of-a-model"] == 3
    assert state.waiting["controller"] >= 0
    assert (state.unacknowledged, state.oldest_at) == (1, 5.0)


def test_what_every_worker_holds_is_counted(redis_url: str) -> None:
    members = {"evaluation.one": 7.0, "generation.two": 6.0}
    with Connection(redis_url) as connection:
        client = connection.channel().client
        keys = []
        for member, taken_at in members.items():
            names, held = f"crucible.workers.{member.split('.')[0]}", f"crucible.held.{member}"
            client.sadd(names, member)
            client.hset(held, mapping={"tag": "message", "retained.other": "message"})
            client.zadd(f"{held}.since", {"tag": taken_at})
            keys += [names, held, f"{held}.since"]
        try:
            state = control_metrics.read_broker(connection)
        finally:
            client.delete(*keys)

    assert (state.unacknowledged, state.oldest_at) == (4, 6.0)


def test_a_slow_source_is_asked_rarely() -> None:
    clock = scripted_run.Clock()
    asked = []

    def slow() -> list[Figure]:
        asked.append(clock.now)
        clock.now += 2.0
        return [Figure("crucible_x", "X.", len(asked))]

    paced = Paced(slow, clock)
    for _ in range(100):
        paced()
        clock.now += 5.0

    assert len(asked) == 2
    assert asked[1] - asked[0] >= 2.0 / SHARE
    assert paced()[0].value == 2


def test_a_quick_source_is_asked_as_often_as_figures_are_fresh() -> None:
    clock = scripted_run.Clock()
    paced = Paced(lambda: [Figure("crucible_x", "X.", clock.now)], clock)
    first = paced()[0].value
    clock.now += FRESH_SECONDS - 1
    assert paced()[0].value == first
    clock.now += 1
    assert paced()[0].value > first

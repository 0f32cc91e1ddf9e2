"""Starts: counted in Redis, forgotten at the end, and what died before begins alone."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator

import pytest
import redis

from crucible_tasks.starts import MOST_STARTS, Starts, counted
from services import free_port

ERRORS = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def message() -> str:
    return uuid.uuid4().hex


def test_what_ends_leaves_nothing_behind(client: redis.Redis, message: str) -> None:
    starts = Starts(client, ERRORS)
    for _ in range(MOST_STARTS + 2):
        with starts.counted(message) as may_begin:
            assert may_begin
            assert starts.longest_seconds() > 0
    with pytest.raises(ZeroDivisionError), starts.counted(message):
        _ = 1 // 0
    assert client.get(f"crucible.starts.{message}") is None
    assert starts.longest_seconds() == 0


def test_the_fourth_start_of_what_never_ended_is_refused(client: redis.Redis, message: str) -> None:
    client.set(f"crucible.starts.{message}", MOST_STARTS - 1)
    with Starts(client, ERRORS).counted(message) as may_begin:
        assert may_begin
    client.set(f"crucible.starts.{message}", MOST_STARTS)
    with Starts(client, ERRORS).counted(message) as may_begin:
        assert not may_begin
    assert client.get(f"crucible.starts.{message}") is None


def test_what_died_before_begins_one_at_a_time_and_counts_when_it_begins(
    client: redis.Redis, message: str
) -> None:
    first, second = f"{message}-1", f"{message}-2"
    client.mset({f"crucible.starts.{one}": 1 for one in (first, second)})
    starts = Starts(client, ERRORS)
    begun: list[str] = []

    def begin_second() -> None:
        with starts.counted(second):
            begun.append(second)

    with starts.counted(first):
        thread = threading.Thread(target=begin_second)
        thread.start()
        time.sleep(0.2)
        assert begun == []
        assert client.get(f"crucible.starts.{second}") == b"1"
    thread.join(10)
    assert begun == [second]


def test_what_is_handed_back_did_not_kill_anybody(client: redis.Redis, message: str) -> None:
    starts = Starts(client, ERRORS)
    with starts.counted(message):
        assert client.get(f"crucible.starts.{message}") == b"1"
        assert starts.forgive() == 1
        assert client.get(f"crucible.starts.{message}") is None


def test_work_goes_on_without_redis_and_its_end_is_told_later(
    client: redis.Redis, message: str
) -> None:
    away = redis.Redis(port=free_port(), retry=None)
    starts = Starts(away, ERRORS)
    client.set(f"crucible.starts.{message}", 1)
    with starts.counted(message) as may_begin:
        assert may_begin
    starts._client = client
    with starts.counted("another"):
        pass
    assert client.get(f"crucible.starts.{message}") is None


def test_a_process_that_is_no_worker_counts_nothing() -> None:
    with counted("anything") as may_begin:
        assert may_begin

"""A worker that ends, by request or by force, loses no task and does none twice."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
import redis

from commandline import Crucible
from services import RedisServer
from worker_hosts import Marks, until, working

#: a worker's Python, when a silent worker is missed after a second instead of half a minute
IMPATIENT = """
import probe
from crucible_tasks import membership, roster
roster.GONE_SECONDS = 1
membership.BEAT_SECONDS = 0.2
"""

EVALUATION = ("--queues", "evaluation", "--concurrency", "3")


@pytest.fixture
def cluster(crucible: Crucible, redis_of_my_own: RedisServer) -> Crucible:
    crucible.environment["CRUCIBLE_BROKER_URL"] = redis_of_my_own.url
    return crucible


@pytest.fixture
def marks(cluster: Crucible, tmp_path: Path) -> Marks:
    return Marks(cluster, tmp_path / "marks")


def _starts(client: redis.Redis) -> int:
    return sum(1 for _ in client.scan_iter("crucible.starts.*"))


def test_a_worker_asked_to_end_finishes_what_it_can_and_hands_back_the_rest(
    cluster: Crucible, redis_of_my_own: RedisServer, marks: Marks
) -> None:
    client = redis.Redis.from_url(redis_of_my_own.url)
    with working(cluster, *EVALUATION) as worker:
        marks.send("short=2", "long=60")
        assert until(lambda: _starts(client) == 2)
        worker.child.send_signal(signal.SIGTERM)
        # its last question for work is still open
        marks.send("late")
        assert until(lambda: "short" in marks.texts())
        assert worker.child.poll() is None
        started = time.monotonic()
        assert worker.end() == 0, worker.lines
        assert time.monotonic() - started < 6

    done, waiting = marks.texts(), client.llen("evaluation")
    assert (done, waiting) in ((["late", "short"], 1), (["short"], 2))
    assert list(client.scan_iter("crucible.*")) == []
    assert not any("Traceback" in line for line in worker.lines)


def test_the_tasks_of_a_host_that_is_gone_are_done_elsewhere(
    cluster: Crucible, redis_of_my_own: RedisServer, marks: Marks
) -> None:
    client = redis.Redis.from_url(redis_of_my_own.url)
    with working(cluster, *EVALUATION, loading=IMPATIENT) as lost:
        marks.send("first")
        assert until(marks.left)
        process = int(marks.left()[0].split()[1])
        marks.send("second=4")
        assert until(lambda: _starts(client) == 1)
        # all of it at once, as a power cut does
        lost.child.kill()
        os.kill(process, signal.SIGKILL)
        with working(cluster, *EVALUATION, loading=IMPATIENT) as other:
            assert until(lambda: marks.texts() == ["first", "second"], 30), other.lines
            assert other.said("worker_gone")

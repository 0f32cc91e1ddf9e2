"""Redis that goes away or falls silent: workers notice, say it once and go on; commands end."""

from __future__ import annotations

from pathlib import Path

import pytest

from black_hole import proxy
from commandline import Crucible
from services import RedisServer
from worker_hosts import Marks, Worker, until, working

#: what idle and busy workers have to notice a silent connection, in seconds
NOTICED_SECONDS = 30.0


@pytest.fixture
def cluster(crucible: Crucible, redis_of_my_own: RedisServer) -> Crucible:
    crucible.environment["CRUCIBLE_BROKER_URL"] = redis_of_my_own.url
    return crucible


def test_connections_that_fall_silent_are_noticed_by_idle_and_busy_workers(
    cluster: Crucible, redis_of_my_own: RedisServer, tmp_path: Path
) -> None:
    marks = Marks(cluster, tmp_path / "marks")
    with (
        proxy(redis_of_my_own.port) as hole,
        working(
            cluster,
            *("--queues", "evaluation", "--concurrency", "2"),
            CRUCIBLE_BROKER_URL=f"redis://127.0.0.1:{hole.port}/0",
        ) as worker,
    ):
        marks.send("busy=3")
        assert until(lambda: _started(redis_of_my_own) == 1)
        assert hole.swallow() > 2
        # it has a free place and waits for more work on a connection that is dead
        worker.until("BRPOP got no reply", NOTICED_SECONDS)
        marks.send("idle")
        assert until(lambda: marks.texts() == ["busy", "idle"], NOTICED_SECONDS), worker.lines
        assert until(lambda: _started(redis_of_my_own) == 0, NOTICED_SECONDS)
        assert worker.end() == 0
    assert marks.texts() == ["busy", "idle"]
    assert not any("Traceback" in line for line in worker.lines), worker.lines


def _started(server: RedisServer) -> int:
    import redis

    with redis.Redis.from_url(server.url) as client:
        return sum(1 for _ in client.scan_iter("crucible.starts.*"))


def test_a_redis_that_is_away_is_told_once_by_a_worker_and_by_whoever_follows(
    cluster: Crucible, redis_of_my_own: RedisServer, postgres_database_url: str
) -> None:
    cluster.environment["CRUCIBLE_DATABASE_URL"] = postgres_database_url
    assert cluster("db", "upgrade").code == 0
    # nobody judges, so the run goes on for ever
    with working(cluster, "--queues", "generation,controller") as worker:
        detached = cluster("benchmark", "-m", "reference", "--limit", "1", "--detach")
        assert detached.code == 0, detached.err
        run = detached.out.strip()
        following = Worker(cluster.start("runs", "follow", run, CRUCIBLE_OUTAGE_SECONDS="3"))
        redis_of_my_own.kill()
        following.until("does not answer; trying again for up to 3 s")
        assert following.child.wait(30) == 4, following.lines
        following.close()
        assert until(lambda: _count(worker, "broker_lost") == 2, 15), "\n".join(worker.lines)
        redis_of_my_own.start()
        assert until(lambda: _count(worker, "broker_back") == 2, 30), worker.lines
    assert following.said(f"crucible runs follow {run}")
    # the two processes' two lines each, and the start
    assert _count(worker, "broker_") == 4
    assert sum(map(bool, worker.lines)) < 11, "\n".join(worker.lines)


def _count(worker: Worker, text: str) -> int:
    return sum(text in line for line in worker.lines)

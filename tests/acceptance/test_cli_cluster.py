"""With a broker and a database named, the same commands use workers of their own processes."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator

import pytest

from commandline import Crucible


@pytest.fixture
def cluster(crucible: Crucible, redis_url: str, postgres_database_url: str) -> Crucible:
    crucible.environment["CRUCIBLE_BROKER_URL"] = redis_url
    crucible.environment["CRUCIBLE_DATABASE_URL"] = postgres_database_url
    return crucible


@pytest.fixture
def worker(cluster: Crucible) -> Iterator[subprocess.Popen[bytes]]:
    assert cluster("db", "upgrade").code == 0
    child = cluster.start("worker")
    yield child
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=30)


def test_an_empty_database_is_refused_with_the_command_that_fills_it(cluster: Crucible) -> None:
    said = cluster("runs", "list")
    assert said.code == 1
    assert "hint: crucible db upgrade" in said.err
    assert cluster("db", "upgrade").code == 0
    assert json.loads(cluster("runs", "list", "--json").out) == []
    assert json.loads(cluster("db", "upgrade", "--json").out)["schema"]


def test_a_worker_does_a_detached_benchmark_and_ends_in_peace(
    cluster: Crucible, worker: subprocess.Popen[bytes]
) -> None:
    words = ["benchmark", "-m", "reference", "--limit", "3"]
    detached = cluster(*words, "--detach")
    assert detached.code == 0, detached.err
    followed = cluster("runs", "follow", detached.out.strip(), "--json")
    assert followed.code == 0, followed.err
    assert json.loads(followed.out)["pass@1"]["value"] == 1.0
    attended = cluster(*words, "--json")
    assert attended.code == 0, attended.err
    assert json.loads(attended.out)["pass@1"]["value"] == 1.0
    worker.send_signal(signal.SIGTERM)
    out, err = worker.communicate(timeout=30)
    assert (worker.returncode, out) == (0, b""), err


def test_a_broker_that_is_gone_is_one_clear_line(crucible: Crucible) -> None:
    url = "redis://:secret-word@127.0.0.1:9/0"
    said = crucible("benchmark", "-m", "reference", "--limit", "1", CRUCIBLE_BROKER_URL=url)
    assert said.code == 1
    assert "cannot be reached" in said.err
    assert "secret-word" not in said.err
    assert "Traceback" not in said.err

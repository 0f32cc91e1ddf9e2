"""A host whose verdicts cannot be trusted: none of them is stored, and the others do its work."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from commandline import PATIENCE_SECONDS, Crucible, Said
from crucible_tasks.challenges import open_dataset, select
from judging_cluster import (
    WELL,
    Cluster,
    new_home,
    open_cluster,
    sick_program,
    verdicts_of,
    with_tests,
)
from recorded_answers import write_replay
from services import RedisServer

LIMIT, N = 16, 3

#: one line of a worker's log
SICK = "host_sick"

#: from the moment a host is found sick until others have judged what it held: 1.5 s to 6 s on a
#: busy host of two cores; a lease would take 900 s
RECOVERY_SECONDS = 45.0


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A benchmark of right and wrong answers."""
    dataset = select(open_dataset("humaneval"), limit=LIMIT)
    replay = write_replay(tmp_path_factory.mktemp("recorded") / "replay.jsonl", dataset, N)
    return f"benchmark -m replay:{replay} -n {N} --limit {LIMIT} -k 1 --seed 3".split()


@pytest.fixture
def alone(tmp_path: Path) -> Crucible:
    return new_home(tmp_path / "alone")


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> list[Any]:
    """Every verdict of an undisturbed run."""
    crucible = new_home(tmp_path_factory.mktemp("healthy") / "home")
    said = crucible(*words)
    assert said.code == 0, said.err
    return verdicts_of(crucible)


@pytest.mark.parametrize("kind", ["Forging", "Late", "Dead"])
def test_a_run_on_a_sick_host_ends_incomplete_and_a_healthy_one_completes_it(
    alone: Crucible, healthy: list[Any], words: list[str], kind: str
) -> None:
    said = _on_a_sick_host(alone, kind, 10, *words)

    assert said.code == 4, said.err
    assert "this host is sick: canary 'python calls" in said.err
    assert "crucible runs resume" in said.err
    assert said.err.count(SICK) == 1
    # what it has stored, before it was sick, is right
    for found, right in zip(verdicts_of(alone), healthy, strict=True):
        assert found["outcome"] == "infra_error" or found == right
    resumed = alone("runs", "resume", "latest")
    assert resumed.code == 0, resumed.err
    assert verdicts_of(alone) == healthy


def test_the_coverage_line_says_what_a_sick_host_left_out_and_why(
    alone: Crucible, words: list[str]
) -> None:
    said = _on_a_sick_host(alone, "Failing", 0, *words)

    line = " ".join(said.out.split())
    assert f"0 of {LIMIT * N} completions judged (0 %); {LIMIT * N} host failures" in line
    assert f"; {LIMIT} challenges: this host is sick: canary 'python calls, " in line


def test_a_sick_host_of_a_cluster_is_drained_and_says_why(
    cluster: Cluster, healthy: list[Any], words: list[str]
) -> None:
    crucible = cluster.crucible
    with cluster.worker("sick", sick_program("Forging", 12), "evaluation") as sick_log:
        # it is the only one that judges, until it is sick
        detached = crucible(*words, "--detach")
        assert detached.code == 0, detached.err
        line = _wait_for(sick_log, SICK)
        assert _consumes_nothing(crucible, "evaluation")
        with cluster.worker("well", WELL, "evaluation"):
            followed = crucible("runs", "follow", "latest")
            assert followed.code == 0, followed.err
            # drained, but alive, and it answers whoever asks; `doctor` does, and takes longer
            said = _drained(crucible)

    assert verdicts_of(crucible) == healthy
    assert all(word in line for word in ("canary=", "expected=", "seen="))
    assert "drained: canary 'python calls, " in said
    assert sick_log.read_text().count(SICK) == 1


def test_a_host_that_falls_sick_at_any_moment_stores_nothing_wrong_and_is_soon_replaced(
    cluster: Cluster, healthy: list[Any], words: list[str]
) -> None:
    crucible = cluster.crucible
    # programs and canaries that it judges right before; its half of the run is about 24 programs
    moment = random.randrange(10)
    with (
        cluster.worker("sick", sick_program("Forging", moment), "evaluation") as sick_log,
        cluster.worker("well", WELL, "evaluation") as well_log,
    ):
        for log in (sick_log, well_log):
            _wait_for(log, "serving")
        detached = crucible(*words, "--detach")
        assert detached.code == 0, detached.err
        followed = crucible("runs", "follow", "latest")
        settled = _wait_for(crucible.home / "controller.log", "run_settled")
        seconds = _time_of(settled) - _time_of(_wait_for(sick_log, SICK))

    assert followed.code == 0, (moment, followed.err)
    assert verdicts_of(crucible) == healthy, moment
    assert seconds < RECOVERY_SECONDS, moment


def test_verdicts_in_custody_are_sent_when_a_worker_is_asked_to_stop(
    cluster: Cluster, healthy: list[Any], words: list[str]
) -> None:
    crucible = cluster.crucible
    with cluster.worker("well", WELL, "evaluation") as log:
        assert crucible(*words, "--detach").code == 0
        # one that is asked to stop before it serves has nothing to send, and ends at once
        _wait_for(log, "serving")
        time.sleep(0.5)
    # what was judged was sent before the worker ended, and nothing waits for a lease of 15 minutes
    with cluster.worker("next", WELL, "evaluation"):
        followed = crucible("runs", "follow", "latest")

    assert followed.code == 0, followed.err
    assert verdicts_of(crucible) == healthy


@pytest.fixture
def cluster(
    tmp_path: Path, redis_of_my_own: RedisServer, postgres_database_url: str
) -> Iterator[Cluster]:
    """A cluster that samples and stores, but does not judge."""
    with open_cluster(tmp_path / "cluster", redis_of_my_own.url, postgres_database_url) as found:
        yield found


def _consumes_nothing(crucible: Crucible, worker: str) -> bool:
    """Whether the worker comes to serve no queue at all; nobody else has this name yet."""
    deadline = time.monotonic() + 20
    ask = [sys.executable, "-m", "celery", "-A", "crucible_tasks.celery_app", "--quiet"]
    while time.monotonic() < deadline:
        done = subprocess.run(
            [*ask, "inspect", "active_queues", "--json"],
            env=with_tests(crucible),
            cwd=crucible.home,
            capture_output=True,
            check=True,
            timeout=PATIENCE_SECONDS,
        )
        queues = json.loads(done.stdout)
        (found,) = [queues[name] for name in queues if name.startswith(f"{worker}@")]
        if not found:
            return True
    return False


def _drained(crucible: Crucible) -> str:
    """What is known of drained hosts."""
    script = "from crucible_tasks.drained import drained_checks; print(drained_checks())"
    words = [sys.executable, "-c", script]
    done = subprocess.run(
        words,
        env=with_tests(crucible),
        cwd=crucible.home,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def _on_a_sick_host(crucible: Crucible, kind: str, healthy: int, *words: str) -> Said:
    done = subprocess.run(
        [*sick_program(kind, healthy), *words],
        env=with_tests(crucible),
        cwd=crucible.home,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def _time_of(line: str) -> float:
    return datetime.fromisoformat(line.split(maxsplit=1)[0]).timestamp()


def _wait_for(log: Path, text: str) -> str:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for line in log.read_text().splitlines():
            if text in line:
                return line
        time.sleep(0.05)
    raise AssertionError(log.read_text())

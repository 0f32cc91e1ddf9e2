"""A host whose verdicts cannot be trusted: none of them is stored, and the others do its work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from commandline import PATIENCE_SECONDS, Crucible, Said, at_home
from crucible_tasks.challenges import open_dataset, select
from recorded_answers import write_replay
from services import RedisServer

TESTS = Path(__file__).resolve().parents[1]
LIMIT, N = 16, 3

#: one line of a worker's log
SICK = "host_sick"


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A benchmark of right and wrong answers."""
    dataset = select(open_dataset("humaneval"), limit=LIMIT)
    replay = write_replay(tmp_path / "replay.jsonl", dataset, N)
    return f"benchmark -m replay:{replay} -n {N} --limit {LIMIT} -k 1 --seed 3".split()


@pytest.fixture
def alone(tmp_path: Path) -> Crucible:
    return _at(tmp_path / "alone")


@pytest.fixture
def healthy(tmp_path: Path, words: list[str]) -> list[Any]:
    """Every verdict of an undisturbed run."""
    crucible = _at(tmp_path / "healthy")
    said = crucible(*words)
    assert said.code == 0, said.err
    return _verdicts(crucible)


@pytest.mark.parametrize("kind", ["Forging", "Failing", "Overloaded", "Late", "Dead"])
def test_a_run_on_a_sick_host_ends_incomplete_and_a_healthy_one_completes_it(
    alone: Crucible, healthy: list[Any], words: list[str], kind: str
) -> None:
    said = _on_a_sick_host(alone, kind, 10, *words)

    assert said.code == 4, said.err
    assert "this host is sick: canary 'python calls" in said.err
    assert "crucible runs resume" in said.err
    assert said.err.count(SICK) == 1
    # what it has stored, before it was sick, is right
    for found, right in zip(_verdicts(alone), healthy, strict=True):
        assert found["outcome"] == "infra_error" or found == right
    resumed = alone("runs", "resume", "latest")
    assert resumed.code == 0, resumed.err
    assert _verdicts(alone) == healthy


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
    with cluster.worker("sick", _sick_program("Forging", 12), "evaluation") as sick_log:
        # it is the only one that judges, until it is sick
        detached = crucible(*words, "--detach")
        assert detached.code == 0, detached.err
        line = _wait_for(sick_log, SICK)
        assert _consumes_nothing(crucible, "evaluation")
        with cluster.worker("well", [sys.executable, "-m", "crucible_api"], "evaluation"):
            followed = crucible("runs", "follow", "latest")
            assert followed.code == 0, followed.err
            # drained, but alive, and it answers whoever asks
            said = crucible("doctor")

    assert _verdicts(crucible) == healthy
    assert all(word in line for word in ("canary=", "expected=", "seen="))
    assert "drained: canary 'python calls, " in " ".join(said.out.split())
    assert sick_log.read_text().count(SICK) == 1


def test_verdicts_in_custody_are_sent_when_a_worker_is_asked_to_stop(
    cluster: Cluster, healthy: list[Any], words: list[str]
) -> None:
    crucible = cluster.crucible
    with cluster.worker("well", [sys.executable, "-m", "crucible_api"], "evaluation"):
        assert crucible(*words, "--detach").code == 0
        time.sleep(0.5)
    # what was judged was sent before the worker ended, and nothing waits for a lease of 15 minutes
    with cluster.worker("next", [sys.executable, "-m", "crucible_api"], "evaluation"):
        followed = crucible("runs", "follow", "latest")

    assert followed.code == 0, followed.err
    assert _verdicts(crucible) == healthy


@dataclass(frozen=True)
class Cluster:
    """A Redis, a Postgres, and workers of one queue each."""

    crucible: Crucible

    @contextmanager
    def worker(self, name: str, program: list[str], queue: str) -> Iterator[Path]:
        """A worker that ends cleanly when asked to; gives the path of its log."""
        log = self.crucible.home / f"{name}.log"
        with log.open("wb") as file:
            child = subprocess.Popen(
                # the process itself rather than its supervisor, which would start a healthy one
                [*program, "worker", "--queues", queue, "--member", name],
                env=_with_tests(self.crucible),
                cwd=self.crucible.home,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
            try:
                yield log
                child.send_signal(signal.SIGTERM)
                assert child.wait(PATIENCE_SECONDS) == 0, log.read_text()
            finally:
                child.kill()
                child.wait()
        assert "Traceback" not in log.read_text()


@pytest.fixture
def cluster(
    tmp_path: Path, redis_of_my_own: RedisServer, postgres_database_url: str
) -> Iterator[Cluster]:
    """A cluster that samples and stores, but does not judge."""
    crucible = _at(
        tmp_path / "cluster",
        CRUCIBLE_BROKER_URL=redis_of_my_own.url,
        CRUCIBLE_DATABASE_URL=postgres_database_url,
    )
    upgraded = crucible("db", "upgrade")
    assert upgraded.code == 0, upgraded.err
    found = Cluster(crucible)
    program = [sys.executable, "-m", "crucible_api"]
    with (
        found.worker("controller", program, "controller"),
        found.worker("generation", program, "generation"),
    ):
        yield found


def _consumes_nothing(crucible: Crucible, worker: str) -> bool:
    """Whether the worker comes to serve no queue at all; nobody else has this name yet."""
    deadline = time.monotonic() + 20
    ask = [sys.executable, "-m", "celery", "-A", "crucible_tasks.celery_app", "--quiet"]
    while time.monotonic() < deadline:
        done = subprocess.run(
            [*ask, "inspect", "active_queues", "--json"],
            env=_with_tests(crucible),
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


def _at(home: Path, **extra: str) -> Crucible:
    home.mkdir()
    return at_home(home, **extra)


def _with_tests(crucible: Crucible) -> dict[str, str]:
    paths = [str(TESTS), os.environ.get("PYTHONPATH", "")]
    return {**crucible.environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _sick_program(kind: str, healthy: int) -> list[str]:
    return [sys.executable, str(TESTS / "sick_crucible.py"), kind, str(healthy)]


def _on_a_sick_host(crucible: Crucible, kind: str, healthy: int, *words: str) -> Said:
    done = subprocess.run(
        [*_sick_program(kind, healthy), *words],
        env=_with_tests(crucible),
        cwd=crucible.home,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def _verdicts(crucible: Crucible) -> list[Any]:
    """Every verdict of the latest run, without what depends on host and time."""
    said = crucible("runs", "show", "latest", "--verdicts", "--json")
    assert said.code == 0, said.err
    rows: list[Any] = json.loads(said.out)["verdicts"]
    for row in rows:
        del row["cpu_seconds"], row["wall_seconds"]
    return rows


def _wait_for(log: Path, text: str) -> str:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for line in log.read_text().splitlines():
            if text in line:
                return line
        time.sleep(0.05)
    raise AssertionError(log.read_text())

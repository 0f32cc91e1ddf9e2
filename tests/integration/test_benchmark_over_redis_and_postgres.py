"""A cluster of real processes finds what one process finds, verdict by verdict."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from commandline import Crucible, at_home
from crucible_tasks.challenges import open_dataset, select
from crucible_tasks.router import Member, Policy, Router, Signal
from recorded_answers import write_replay
from services import RedisServer

LIMIT = 20
N = 3


@pytest.fixture
def alone(tmp_path: Path) -> Crucible:
    """Does its own work, with SQLite."""
    home = tmp_path / "alone"
    home.mkdir()
    return at_home(home)


@pytest.fixture
def cluster(
    tmp_path: Path, redis_of_my_own: RedisServer, postgres_database_url: str
) -> Iterator[Crucible]:
    """Leaves the work to two workers: one for every queue, one for evaluation alone."""
    home = tmp_path / "cluster"
    home.mkdir()
    crucible = at_home(
        home,
        CRUCIBLE_BROKER_URL=redis_of_my_own.url,
        CRUCIBLE_DATABASE_URL=postgres_database_url,
    )
    upgraded = crucible("db", "upgrade")
    assert upgraded.code == 0, upgraded.err
    with ExitStack() as stack:
        stack.enter_context(_worker(crucible))
        stack.enter_context(_worker(crucible, "--queues", "evaluation", "--concurrency", "1"))
        yield crucible


@contextmanager
def _worker(crucible: Crucible, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that ends cleanly when it is asked to."""
    child = crucible.start("worker", *words)
    yield child
    child.send_signal(signal.SIGTERM)
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out) == (0, b""), err.decode()
    assert b"Traceback" not in err


def _words(model: str, tmp_path: Path) -> list[str]:
    dataset = select(open_dataset("humaneval"), limit=LIMIT)
    replay = write_replay(tmp_path / "replay.jsonl", dataset, N)
    if model == "router":
        other = write_replay(tmp_path / "other.jsonl", dataset, N + 1)
        members = (Member("fast", f"replay:{replay}"), Member("quality", f"replay:{other}"))
        router = Router("mixed", Policy.CASCADE, members, tuple(Signal))
        return ["benchmark", "-m", router.spec, "--limit", str(LIMIT), "--no-members"]
    return f"benchmark -m replay:{replay} -n {N} --limit {LIMIT} -k 1,2,3 --seed 3".split()


def _found(crucible: Crucible, run_id: str = "latest") -> Any:
    """Scores and every verdict of a run, without what depends on host and time."""
    said = crucible("runs", "show", run_id, "--verdicts", "--json")
    assert said.code == 0, said.err
    shown = json.loads(said.out)
    for name in ("run", "seconds", "created_at"):
        del shown[name]
    del shown["manifest"]["created"]
    for row in shown["verdicts"]:
        del row["cpu_seconds"], row["wall_seconds"]
    if "router" in shown:
        for one in (shown["router"], *shown["router"]["members"]):
            del one["model_seconds"]
    return shown


@pytest.mark.parametrize("model", ["replay", "router"])
def test_a_cluster_finds_what_one_process_finds(
    alone: Crucible, cluster: Crucible, tmp_path: Path, model: str
) -> None:
    words = _words(model, tmp_path)
    for crucible in (alone, cluster):
        said = crucible(*words)
        assert said.code == 0, said.err
    found = _found(cluster)
    assert found == _found(alone)
    assert (found["state"], found["coverage"]) == ("finished", 1.0)
    outcomes = {row["outcome"] for row in found["verdicts"]}
    assert outcomes <= {"passed", "failed", "error", "syntax_error"}
    assert len(outcomes) > 1
    assert ("router" in found) == (model == "router")


def test_a_detached_benchmark_is_followed_to_the_same_end(
    alone: Crucible, cluster: Crucible, tmp_path: Path
) -> None:
    words = _words("replay", tmp_path)
    assert alone(*words).code == 0
    detached = cluster(*words, "--detach")
    assert detached.code == 0, detached.err
    (run_id,) = detached.out.split()
    followed = cluster("runs", "follow", run_id, "--json")
    assert followed.code == 0, followed.err
    assert json.loads(followed.out)["run"] == run_id
    assert _found(cluster, run_id) == _found(alone)

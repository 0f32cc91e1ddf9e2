"""A cluster's sweep is paused, resumed and followed by a machine that has its database only."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest

from commandline import Crucible, at_home

CHALLENGES = 40


@pytest.fixture
def cluster(crucible: Crucible, redis_url: str, postgres_database_url: str) -> Iterator[Crucible]:
    crucible.environment["CRUCIBLE_BROKER_URL"] = redis_url
    crucible.environment["CRUCIBLE_DATABASE_URL"] = postgres_database_url
    assert crucible("db", "upgrade").code == 0
    worker = crucible.start("worker")
    yield crucible
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=30)


@pytest.fixture
def elsewhere(cluster: Crucible) -> Crucible:
    """A machine with the cluster's database, without its broker and its files."""
    home = cluster.home.parent / "elsewhere"
    home.mkdir()
    return at_home(home, CRUCIBLE_DATABASE_URL=cluster.environment["CRUCIBLE_DATABASE_URL"])


def _napping(crucible: Crucible) -> str:
    rows = [
        {"task_id": f"HumanEval/{number}", "solution": "import time\ntime.sleep(0.2)\n"}
        for number in range(CHALLENGES)
    ]
    (crucible.home / "naps.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return f"replay:{crucible.home / 'naps.jsonl'}"


def test_a_detached_sweep_is_ruled_from_any_machine_that_reaches_the_database(
    cluster: Crucible, elsewhere: Crucible
) -> None:
    words = ("benchmark", "-m", _napping(cluster), "--limit", str(CHALLENGES), "--priority", "2")
    detached = cluster(*words, "--temperature", "0", "--temperature", "0.5", "--detach", "--json")
    assert detached.code == 0, detached.err
    begun = json.loads(detached.out)
    sweep = begun["sweep"]
    assert f"crucible runs follow {sweep}" in detached.err
    paused = elsewhere("runs", "pause", sweep, "--json")
    assert paused.code == 0, paused.err
    assert [(one["run"], one["state"], one["priority"]) for one in json.loads(paused.out)] == [
        (run_id, "paused", 2) for run_id in begun["runs"]
    ]
    follower = elsewhere.start("runs", "follow", sweep, "--json")
    assert follower.stderr is not None
    assert b"was paused: crucible runs resume" in follower.stderr.readline()
    resumed = elsewhere("runs", "resume", sweep, "--detach")
    assert resumed.code == 0, resumed.err
    out, err = follower.communicate(timeout=90)
    assert follower.returncode == 0, err
    assert b"goes on" in err
    runs = json.loads(out)["runs"]
    assert [(run["state"], run["judged"]) for run in runs] == [("finished", CHALLENGES)] * 2
    shown = elsewhere("sweeps", "show", sweep)
    assert "best on humaneval: a tie of 2, pass@1 0.0 %" in shown.out

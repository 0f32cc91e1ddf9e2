"""A fine-tune that nobody watches, on a cluster whose workers end or are killed: others go on.

It comes to the same losses, and is proved by the cluster's workers.
"""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from commandline import Crucible, Said
from crucible_api.fine_tune_reports import FineTuneInfo
from crucible_api.fine_tunes import FineTunes
from crucible_infra.database import open_database
from crucible_infra.database.runs import newest_runs
from crucible_tasks import demo_repository
from crucible_tasks.challenges import Dataset, open_dataset, select, write_rows
from scripted_trainer import losses
from services import RedisServer
from worker_hosts import TESTS, until, working

#: enough that a busy host's news, which come late, tell of its middle before its end
STEPS = 80

#: a worker's Python, where trainings are scripted, and slow enough to be killed in their middle
SCRIPTED = f"""
import short_waits, sys
from crucible_workers import fine_tune
fine_tune.TRAINER = (sys.executable, {str(TESTS / "scripted_trainer.py")!r}, "0.2", "well")
"""

CODE = "def area(width, height):\n    return width * height  # {}\n"


def _tree(directory: Path) -> Path:
    directory.mkdir()
    for number in range(12):
        names = " ".join(f"name_{number}_{one}" for one in range(20))
        (directory / f"module_{number}.py").write_text(CODE.format(names))
    return directory


def _until_step(fine_tunes: FineTunes, step: int) -> None:
    """By way of the database: a command takes as long as several steps."""
    (info,) = fine_tunes.newest(1)
    deadline = time.monotonic() + 120
    while len(fine_tunes.steps(info.row.id, 0)) < step:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _cut_power(worker: int) -> None:
    """Kill a worker with the process that would start it again; its trainer must die by itself."""
    children = Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
    for number in (worker, *map(int, children)):
        os.kill(number, signal.SIGKILL)


def _file(path: Path, dataset: Dataset) -> str:
    path.write_bytes(write_rows(dataset))
    return str(path)


def _words(place: Path) -> list[str]:
    """A fine-tune with a small proof."""
    private = select(demo_repository.private_challenges(), limit=2)
    elsewhere = select(open_dataset("starter"), limit=3)
    words = ["--model", "nano", "--directory", str(_tree(place / "tree"))]
    words += ["--new-model-name", "mine", "--max-steps", str(STEPS), "--proof-n", "2"]
    words += ["--private", _file(place / "private.jsonl", private)]
    return [*words, "--proof-dataset", _file(place / "elsewhere.jsonl", elsewhere)]


def _are_finished(fine_tunes: FineTunes, wanted: int) -> bool:
    with fine_tunes.database.reading() as connection:
        states = [row.state for row in newest_runs(connection, wanted + 1)]
    return states == ["finished"] * wanted


@pytest.mark.timeout(300)
def test_it_ends_trained_and_proved_whoever_dies_meanwhile(
    crucible: Crucible, redis_of_my_own: RedisServer, postgres_database_url: str, tmp_path: Path
) -> None:
    crucible.environment["CRUCIBLE_BROKER_URL"] = redis_of_my_own.url
    crucible.environment["CRUCIBLE_DATABASE_URL"] = postgres_database_url
    crucible.environment["CRUCIBLE_ARTIFACTS_URL"] = str(tmp_path / "store")
    assert crucible("db", "upgrade").code == 0
    fine_tunes = FineTunes(open_database(postgres_database_url))
    words = _words(tmp_path)
    hosts = [{"CRUCIBLE_HOME": str(tmp_path / name)} for name in ("first", "second", "third")]

    with ExitStack() as stack:
        stack.enter_context(
            working(crucible, "--queues", "controller", loading="import short_waits")
        )
        with working(crucible, "--queues", "fine_tune", loading=SCRIPTED, **hosts[0]) as worker:
            unproved = crucible("fine-tune", *words, "--detach")
            for queue in ("evaluation", "generation"):
                stack.enter_context(working(crucible, "--queues", queue))
            begun = crucible("fine-tune", *words, "--detach")
            assert begun.code == 0, begun.err
            _until_step(fine_tunes, 4)
            assert worker.end() == 0
        with working(crucible, "--queues", "fine_tune", loading=SCRIPTED, **hosts[1]) as worker:
            _until_step(fine_tunes, 17)
            _cut_power(worker.child.pid)
        with working(crucible, "--queues", "fine_tune", loading=SCRIPTED, **hosts[2]):
            _until_step(fine_tunes, STEPS)
            # nobody follows it
            assert until(lambda: _are_finished(fine_tunes, 4))
        found = json.loads(crucible("fine-tunes", "show", "mine", "--json").out)
        followed = crucible("fine-tunes", "follow", "mine")
    info = fine_tunes.find("mine")
    told = [step.loss for step in fine_tunes.steps(info.row.id, 0)]
    fine_tunes.database.close()

    assert unproved.code == 1
    assert "nobody would prove it: no worker serves the queue evaluation" in unproved.err
    assert told == losses(STEPS)
    first, second, third = _starts(info)
    # hosts share nothing but the store: who was asked to end has left a checkpoint there, and of
    # who was killed the last one counts, or the one before where it had no time to store that
    assert first == 0
    assert 4 <= second < 17
    assert third >= second
    # the scripted trainer leaves one every five steps
    assert third == second or third % 5 == 0
    # what only a killed training needs is not kept
    assert not list((tmp_path / "third" / "fine-tunes").glob("*/output"))
    _demand_proof(found, followed)


def _starts(info: FineTuneInfo) -> list[int]:
    return [int(note.removeprefix("goes on from step ")) for note in info.row.notes]


def _demand_proof(found: dict[str, Any], followed: Said) -> None:
    # the scripted trainer's model says what its base says, and with equal settings nothing differs
    assert [
        (part["role"], part["effect"], part["new"]["challenges"]) for part in found["proof"]
    ] == [
        ("private", 0.0, 2),
        ("elsewhere", 0.0, 3),
    ]
    assert "better on this codebase?" in found["answer"]
    assert "worse elsewhere" in found["answer"]
    assert followed.code == 0, followed.err
    assert "its corpus shares 0 of 3 challenges with elsewhere" in followed.out

"""A fine-tune on a cluster whose workers end or are killed: others go on, to the same losses."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from commandline import Crucible
from crucible_api.fine_tunes import FineTunes
from crucible_infra.database import open_database
from scripted_trainer import losses
from services import RedisServer
from tiny_model import write_tiny_model
from worker_hosts import TESTS, working

STEPS = 40

#: a worker's Python, where trainings are scripted, and slow enough to be killed in their middle
SCRIPTED = f"""
import sys
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


def test_other_workers_go_on_from_the_last_checkpoint(
    crucible: Crucible, redis_of_my_own: RedisServer, postgres_database_url: str, tmp_path: Path
) -> None:
    crucible.environment["CRUCIBLE_BROKER_URL"] = redis_of_my_own.url
    crucible.environment["CRUCIBLE_DATABASE_URL"] = postgres_database_url
    crucible.environment["CRUCIBLE_ARTIFACTS_URL"] = str(tmp_path / "store")
    assert crucible("db", "upgrade").code == 0
    fine_tunes = FineTunes(open_database(postgres_database_url))
    base = write_tiny_model(tmp_path / "base")
    words = ["--model", f"hf:{base}", "--directory", str(_tree(tmp_path / "tree"))]
    words += ["--new-model-name", "mine", "--max-steps", str(STEPS), "--no-proof"]
    hosts = [{"CRUCIBLE_HOME": str(tmp_path / name)} for name in ("first", "second", "third")]

    refused = crucible("fine-tune", *words)
    with working(crucible, "--queues", "controller"):
        with working(crucible, "--queues", "fine_tune", loading=SCRIPTED, **hosts[0]) as worker:
            begun = crucible("fine-tune", *words, "--detach")
            assert begun.code == 0, begun.err
            _until_step(fine_tunes, 4)
            assert worker.end() == 0
        with working(crucible, "--queues", "fine_tune", loading=SCRIPTED, **hosts[1]) as worker:
            _until_step(fine_tunes, 17)
            _cut_power(worker.child.pid)
        with working(crucible, "--queues", "fine_tune", loading=SCRIPTED, **hosts[2]):
            followed = crucible("fine-tunes", "follow", "mine", "--json")
    info = fine_tunes.find("mine")
    told = [step.loss for step in fine_tunes.steps(info.row.id, 0)]
    fine_tunes.database.close()

    assert refused.code == 1
    assert "no worker serves the queue fine_tune" in refused.err
    assert followed.code == 0, followed.err
    assert told == losses(STEPS)
    starts = [int(note.removeprefix("goes on from step ")) for note in info.row.notes]
    first, second, third = starts
    # hosts share nothing but the store: who was asked to end has left a checkpoint there, and of
    # who was killed the last one counts, or the one before where it had no time to store that
    assert first == 0
    assert 4 <= second < 10
    assert third in (10, 15)
    # what only a killed training needs is not kept
    assert not list((tmp_path / "third" / "fine-tunes").glob("*/output"))

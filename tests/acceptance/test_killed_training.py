"""A fine-tune on a cluster whose worker is killed: another one goes on, to the same losses."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from commandline import Crucible
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


def _shown(crucible: Crucible) -> dict[str, object]:
    said = crucible("fine-tunes", "show", "mine", "--steps", "--json")
    found: dict[str, object] = json.loads(said.out)
    return found


def _steps(crucible: Crucible) -> list[dict[str, float]]:
    steps = _shown(crucible)["steps"]
    assert isinstance(steps, list)
    return [step for step in steps if step["step"]]


def _until_step(crucible: Crucible, step: int) -> None:
    deadline = time.monotonic() + 120
    while len(_steps(crucible)) < step:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _cut_power(worker: int) -> None:
    """Kill a worker with the process that would start it again; its trainer must die by itself."""
    children = Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
    for number in (worker, *map(int, children)):
        os.kill(number, signal.SIGKILL)


def test_another_worker_goes_on_from_the_last_checkpoint(
    crucible: Crucible, redis_of_my_own: RedisServer, postgres_database_url: str, tmp_path: Path
) -> None:
    crucible.environment["CRUCIBLE_BROKER_URL"] = redis_of_my_own.url
    crucible.environment["CRUCIBLE_DATABASE_URL"] = postgres_database_url
    crucible.environment["CRUCIBLE_ARTIFACTS_URL"] = str(tmp_path / "store")
    assert crucible("db", "upgrade").code == 0
    base = write_tiny_model(tmp_path / "base")
    words = ["--model", f"hf:{base}", "--directory", str(_tree(tmp_path / "tree"))]
    words += ["--new-model-name", "mine", "--max-steps", str(STEPS), "--no-proof"]
    hosts = [{"CRUCIBLE_HOME": str(tmp_path / name)} for name in ("first", "second")]

    refused = crucible("fine-tune", *words)
    with working(crucible, "--queues", "controller"):
        with working(crucible, "--queues", "fine_tune", loading=SCRIPTED, **hosts[0]) as worker:
            begun = crucible("fine-tune", *words, "--detach")
            assert begun.code == 0, begun.err
            _until_step(crucible, 12)
            _cut_power(worker.child.pid)
        with working(crucible, "--queues", "fine_tune", loading=SCRIPTED, **hosts[1]):
            followed = crucible("fine-tunes", "follow", "mine", "--json")
    shown = _shown(crucible)

    assert refused.code == 1
    assert "no worker serves the queue fine_tune" in refused.err
    assert followed.code == 0, followed.err
    assert [step["loss"] for step in _steps(crucible)] == losses(STEPS)
    notes = shown["notes"]
    assert isinstance(notes, list)
    assert notes[0] == "goes on from step 0"
    # from a checkpoint of a host that shared nothing but the store, and no earlier than the last
    assert notes[1] in ("goes on from step 10", "goes on from step 15")
    # what only a killed training needs is not kept
    assert not list((tmp_path / "second" / "fine-tunes").glob("*/output"))

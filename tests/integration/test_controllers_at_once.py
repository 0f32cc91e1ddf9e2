from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import scripted_run
from crucible_infra.database import open_database, upgrade
from crucible_tasks.control import Reconcile
from crucible_tasks.planning import RunState
from scripted_run import Workshop

CHALLENGES = 12
CONTROLLERS = 3


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_several_controllers_ask_for_everything_once(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    if engine == "postgres":
        url = str(request.getfixturevalue("postgres_database_url"))
    upgrade(url)
    database = open_database(url)
    workshop = Workshop(database, tmp_path)
    runs = [workshop.begin(scripted_run.plan(CHALLENGES, 2)) for _ in range(2)]
    asked: Counter[tuple[str, str, str, int]] = Counter()
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                requests = workshop.wire.take()
                asked.update(key for one in requests for key in _asked(one))
            for one in requests:
                workshop.deliver(one)
            if not requests and all(
                workshop.runs.progress(run).state is RunState.FINISHED for run in runs
            ):
                return
            time.sleep(0.01)

    with ThreadPoolExecutor(CONTROLLERS) as pool:
        for ended in [pool.submit(work) for _ in range(CONTROLLERS)]:
            ended.result(60)
    assert len(asked) == 2 * 2 * 2 * CHALLENGES
    assert set(asked.values()) == {1}
    database.close()


def _asked(request: object) -> list[tuple[str, str, str, int]]:
    if isinstance(request, Reconcile):
        return []
    answer = scripted_run.answer(request)
    return [
        (type(request).__name__, answer.run_id, answer.task_id, index) for index in answer.indices
    ]

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import sqlalchemy

import scripted_run
from crucible_infra.database import open_database
from crucible_tasks.planning import RunState
from scripted_run import Workshop

#: a process that works on the run until it is done or killed
WORK = """
import sys
from pathlib import Path
from scripted_run import Workshop
from crucible_infra.database import open_database

workshop = Workshop(open_database(sys.argv[1]), Path(sys.argv[2]))
workshop.runs.resume(sys.argv[3])
workshop.finish()
"""

#: seconds after the first row; spread over the run
KILLS = (0.0, 0.05, 0.1, 0.2, 0.3)


def test_a_killed_run_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    database = open_database(url)
    workshop = Workshop(database, tmp_path)
    plan = scripted_run.plan(challenges=60, n=30)
    undisturbed = workshop.begin(plan)
    workshop.finish()
    killed = workshop.runs.plan_benchmark(plan)
    deaths = 0
    for delay in KILLS:
        child = subprocess.Popen(
            [sys.executable, "-c", WORK, url, str(tmp_path), killed],
            env={"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        _wait_for_news(workshop, killed, child)
        time.sleep(delay)
        child.kill()
        deaths += child.wait(30) == -signal.SIGKILL
    # else this has shown nothing
    assert deaths > 0
    workshop.runs.resume(killed)
    workshop.finish()
    assert workshop.runs.progress(killed).state is RunState.FINISHED
    assert workshop.runs.counts(killed) == workshop.runs.counts(undisturbed)
    assert workshop.runs.summary(killed).scores == workshop.runs.summary(undisturbed).scores
    for table in ("completions", "verdicts"):
        assert _rows(workshop, table, killed) == (1800, 1800)
    database.close()


def _wait_for_news(workshop: Workshop, run_id: str, child: subprocess.Popen[bytes]) -> None:
    before = workshop.runs.progress(run_id)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and child.poll() is None:
        now = workshop.runs.progress(run_id)
        if (now.generated, now.judged) != (before.generated, before.judged):
            return
        time.sleep(0.005)


def _rows(workshop: Workshop, table: str, run_id: str) -> tuple[int, int]:
    query = f"""
        SELECT count(*), (SELECT count(*) FROM
            (SELECT DISTINCT task_id, "index" FROM {table} WHERE run_id = :run) AS once)
        FROM {table} WHERE run_id = :run
    """
    with workshop.database.reading() as connection:
        found = connection.execute(sqlalchemy.text(query), {"run": run_id}).one()
    return found[0], found[1]

"""Prints what storing and reading a run of 164 challenges x 200 completions costs.

    python tests/performance/database.py [DATABASE_URL]

Without a URL a SQLite file in a temporary directory; a Postgres must be empty.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parents[1]))

import scripted_run
from crucible_infra.database import open_database, upgrade
from crucible_tasks.generation import Generation
from scripted_run import Workshop, plan

Value = TypeVar("Value")

CHALLENGES = 164
N = 200


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{directory}/x.db"
        upgrade(url)
        database = open_database(url)
        measure(Workshop(database, Path(directory)))
        database.close()


def measure(workshop: Workshop) -> None:
    """Only the controller is timed, not the scripted model and sandbox."""
    chosen = plan(CHALLENGES, N, ks=(1, 10, 100))
    seconds, run_id = _timed(lambda: workshop.begin(chosen))
    print(f"plan             {seconds:8.2f} s")
    spent = {"completions": 0.0, "verdicts": 0.0}
    workshop.deliver(workshop.wire.take()[0])
    while requests := workshop.wire.take():
        for request in requests:
            answer = scripted_run.answer(request)
            name = "completions" if isinstance(answer, Generation) else "verdicts"
            spent[name] += _timed(partial(workshop.store, answer))[0]
    for name, total in spent.items():
        print(f"{name:16} {total:8.2f} s  {CHALLENGES * N / total:8.0f} rows/s")
    print(f"both             {sum(spent.values()):8.2f} s")
    times = [_timed(lambda: workshop.runs.progress(run_id))[0] for _ in range(50)]
    print(f"progress         {1000 * statistics.median(times):8.1f} ms (median)")
    for name in ("summary", "verdict_rows"):
        seconds, _ = _timed(partial(getattr(workshop.runs, name), run_id))
        print(f"{name:16} {1000 * seconds:8.1f} ms")
    print(workshop.runs.summary(run_id).quality.line)


def _timed(action: Callable[[], Value]) -> tuple[float, Value]:
    began = time.perf_counter()
    value = action()
    return time.perf_counter() - began, value


if __name__ == "__main__":
    main()

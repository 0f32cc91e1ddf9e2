"""Prints how many completions a second one controller stores and sends on, without a broker.

    python tests/performance/controller_ceiling.py [--completions 16000] [--batch 8]
        [--n 200] [--ballast 0] [--postgres]

Scripted workers answer at once, so all the time that is measured is the controller's: each
completion is sampled, stored, sent to be judged, judged and stored. --batch 8 is what a live model
is asked for in one message, 200 what recorded answers are. --ballast adds a run with that many
challenges that wait, and as many that are done, of which nothing is sent: the cost of a message
must not depend on it. Last, what the controller's own look at the running runs takes.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import scripted_run
import services
from crucible_infra.database import Database, open_database, upgrade
from crucible_infra.database.attempts import AttemptRow, store_attempts
from crucible_infra.database.live_runs import live_runs
from crucible_infra.stage import Stage
from crucible_tasks.control import Reconcile
from crucible_tasks.generation import ModelIdentity
from crucible_tasks.planning import BenchmarkPlan, RunState
from scripted_run import Workshop

LIVE = ModelIdentity("ollama:scripted", "scripted", "ollama 0", "d" * 64, "base")


@dataclass(slots=True)
class Spent:
    """Seconds of each kind of message, and the most that ever waited."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    most_waiting: int = 0
    #: of this process
    cpu: float = 0.0

    def time(self, kind: str, action: Callable[[], object]) -> None:
        """Do it, and note how long it took."""
        began, began_cpu = time.perf_counter(), time.process_time()
        action()
        self.seconds.setdefault(kind, []).append(time.perf_counter() - began)
        self.cpu += time.process_time() - began_cpu


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--completions", type=int, default=16_000)
    parser.add_argument("--batch", type=int, default=8, help="completions in one message")
    parser.add_argument("--n", type=int, default=200, help="completions of one challenge")
    parser.add_argument("--ballast", type=int, default=0, help="challenges of another run")
    parser.add_argument("--postgres", action="store_true", help="instead of SQLite")
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, _url(wish, directory) as url:
        upgrade(url)
        database = open_database(url)
        workshop = Workshop(database, Path(directory))
        if wish.ballast:
            _lay_ballast(workshop, wish.ballast)
        spent = measure(workshop, _plan(wish.completions, wish.n), wish.batch)
        show(spent, wish.completions)
        show_look(database)
        database.close()


@contextmanager
def _url(wish: argparse.Namespace, directory: str) -> Iterator[str]:
    if not wish.postgres:
        yield f"sqlite:///{directory}/x.db"
        return
    with services.postgres_server() as url:
        yield url


def _plan(completions: int, n: int) -> BenchmarkPlan:
    return replace(scripted_run.plan(max(1, completions // n), n), model=LIVE)


def _lay_ballast(workshop: Workshop, challenges: int) -> None:
    run_id = workshop.runs.plan_benchmark(scripted_run.plan(challenges, 1, ks=(1,)))
    workshop.runs.start(run_id)
    workshop.wire.take()
    blank = (AttemptRow.blank(run_id, f"T/{one}", Stage.GENERATION) for one in range(challenges))
    rows = [replace(row, is_waiting=place % 2 == 0) for place, row in enumerate(blank)]
    with workshop.database.writing() as connection:
        store_attempts(connection, rows)


def measure(workshop: Workshop, plan: BenchmarkPlan, batch: int) -> Spent:
    """Run it to its end with workers that take no time."""
    spent = Spent()
    run_id = workshop.runs.plan_benchmark(plan)
    with workshop.database.writing() as connection:
        connection.exec_driver_sql(f"UPDATE runs SET batch = {batch:d} WHERE id = '{run_id}'")
    workshop.runs.start(run_id)
    # the ballast belongs to somebody else
    workshop.controller = replace(workshop.controller, adopts_runs=False)
    while requests := workshop.wire.take():
        spent.most_waiting = max(spent.most_waiting, len(requests))
        for request in requests:
            if isinstance(request, Reconcile):
                spent.time("Reconcile", lambda one=request: workshop.deliver(one))  # type: ignore[misc]
                continue
            answer = scripted_run.answer(request)
            kind = type(answer).__name__
            spent.time(kind, lambda one=answer: workshop.store(one))  # type: ignore[misc]
    assert workshop.runs.progress(run_id).state is RunState.FINISHED
    return spent


def show(spent: Spent, completions: int) -> None:
    for kind, seconds in spent.seconds.items():
        print(
            f"{kind:12} {len(seconds):6} messages  {1000 * statistics.median(seconds):7.2f} ms "
            f"(median)  {sum(seconds):7.2f} s"
        )
    total = sum(sum(seconds) for seconds in spent.seconds.values())
    print(f"ceiling      {completions / total:6.0f} completions a second and controller")
    print(f"by CPU       {completions / spent.cpu:6.0f} if the host and its database were idle")
    print(f"waiting      {spent.most_waiting:6} messages at most")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"memory       {memory:6.0f} MiB at most, with the scripted workers")


def show_look(database: Database) -> None:
    """What the query behind every refill takes."""
    times = []
    for _ in range(50):
        began = time.perf_counter()
        with database.reading() as connection:
            live_runs(connection, Stage.GENERATION)
        times.append(time.perf_counter() - began)
    print(f"look         {1000 * statistics.median(times):6.2f} ms (median)")


if __name__ == "__main__":
    main()

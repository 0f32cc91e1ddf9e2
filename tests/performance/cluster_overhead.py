"""Prints what Redis, Postgres and separate processes cost beside doing it all in one process.

    python tests/performance/cluster_overhead.py [--completions 32800] [--evaluators N]

The same recorded model, the same challenges of HumanEval, the same cores: once embedded, once with
a controller, a generation and an evaluation worker as processes of their own over a Redis and a
Postgres (`tests/services.py`; loopback, no network namespaces, so root is not needed). The time is
that of `crucible benchmark` from its first byte to its last. The last line is what of it no worker
can change: the controller alone, fed with answers that are there already; so many completions a
second one controller stores, whatever the number of hosts.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import scripted_run
import services
from commandline import Crucible, at_home
from crucible_infra.database import open_database, upgrade
from crucible_tasks.challenges import open_dataset, select
from recorded_answers import write_replay
from scripted_run import Workshop, plan

#: a worker that is asked to end has so long, in seconds
_END_SECONDS = 60.0

#: enough for a rate, little beside the benchmarks
_CEILING_COMPLETIONS = 4000

#: completions of a challenge in the controller's part
_CEILING_N = 20

#: a benchmark of the full size on a slow machine, in seconds
_PATIENCE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Spent:
    """What a benchmark took, in seconds."""

    wall: float
    #: pass@1 and the number of verdicts, as text: what must be the same
    found: str


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--completions", type=int, default=32800)
    parser.add_argument("--evaluators", type=int, default=os.cpu_count() or 1)
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        directory = Path(place)
        redis = stack.enter_context(services.redis_server(directory))
        database_url = stack.enter_context(services.postgres_server())
        words = _record(directory, wish.completions)
        alone = _home(directory, "alone")
        embedded = _timed(alone, words)
        print(f"embedded            {embedded.wall:8.1f} s", flush=True)
        stores = {"CRUCIBLE_BROKER_URL": redis.url, "CRUCIBLE_DATABASE_URL": database_url}
        shared = _home(directory, "cluster", **stores)
        assert shared("db", "upgrade").code == 0
        with _workers(shared, wish.evaluators):
            # they stand ready in a cluster: their start is no part of it
            assert shared("benchmark", "-m", "reference", "--limit", "1").code == 0
            clustered = _timed(shared, words)
        print(f"Redis and Postgres  {clustered.wall:8.1f} s")
        assert clustered.found == embedded.found, (clustered.found, embedded.found)
        print(f"ratio               {clustered.wall / embedded.wall:8.2f}", flush=True)
        rate = _ceiling(directory, database_url)
        print(f"one controller      {rate:8.0f} completions a second, stored and judged")


def _record(directory: Path, completions: int) -> list[str]:
    """The words of a benchmark of about so many completions."""
    whole = open_dataset("humaneval")
    n = max(completions // len(whole.challenges), 1)
    limit = min(len(whole.challenges), completions)
    replay = write_replay(directory / "replay.jsonl", select(whole, limit=limit), n)
    return f"benchmark -m replay:{replay} -n {n} --limit {limit} --json".split()


def _timed(crucible: Crucible, words: list[str]) -> Spent:
    began = time.monotonic()
    child = crucible.start(*words)
    out, err = child.communicate(timeout=_PATIENCE_SECONDS)
    wall = time.monotonic() - began
    assert child.returncode == 0, err.decode()
    kept = ('"pass@1"', '"value"', '"judged"')
    lines = [line for line in out.decode().splitlines() if any(word in line for word in kept)]
    return Spent(wall, "\n".join(lines))


@contextmanager
def _workers(crucible: Crucible, evaluators: int) -> Iterator[None]:
    """One worker process per queue; evaluation judges as many at once as the embedded run."""
    sizes = {"controller": 1, "generation": 2, "evaluation": evaluators}
    children: list[subprocess.Popen[bytes]] = []
    try:
        for queue, size in sizes.items():
            words = ["worker", "--queues", queue, "--concurrency", str(size), "--quiet"]
            children.append(crucible.start(*words))
        yield
    finally:
        for child in children:
            child.send_signal(signal.SIGTERM)
        for child in children:
            child.communicate(timeout=_END_SECONDS)


def _ceiling(directory: Path, database_url: str) -> float:
    """Completions a second that one controller stores, with their verdicts."""
    upgrade(database_url)
    database = open_database(database_url)
    workshop = Workshop(database, directory)
    workshop.begin(plan(_CEILING_COMPLETIONS // _CEILING_N, _CEILING_N, ks=(1,)))
    workshop.deliver(workshop.wire.take()[0])
    spent = 0.0
    for _ in ("completions", "verdicts"):
        answers = [scripted_run.answer(request) for request in workshop.wire.take()]
        began = time.perf_counter()
        for one in answers:
            workshop.store(one)
        spent += time.perf_counter() - began
    database.close()
    return _CEILING_COMPLETIONS / spent


def _home(directory: Path, name: str, **extra: str) -> Crucible:
    home = directory / name
    home.mkdir()
    return at_home(home, **extra)


if __name__ == "__main__":
    main()

"""Prints what Redis, Postgres and separate processes cost beside doing it all in one process.

    python tests/performance/cluster_overhead.py [--completions 32800] [--evaluators N]

The same recorded model, the same challenges of HumanEval, the same cores: once embedded, once with
a controller, a generation and an evaluation worker as processes of their own over a Redis and a
Postgres (`tests/services.py`; loopback, no network namespaces, so root is not needed). The time is
that of `crucible benchmark` from its first byte to its last. What one controller can store at most:
`controller_ceiling.py`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import services
from commandline import Crucible, at_home
from crucible_tasks.challenges import open_dataset, select
from loopback_workers import workers
from recorded_answers import write_replay

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
        # evaluation judges as many at once as the embedded run
        queues = ("controller", 1), ("generation", 2), ("evaluation", wish.evaluators)
        with workers(shared, *queues):
            # they stand ready in a cluster: their start is no part of it
            assert shared("benchmark", "-m", "reference", "--limit", "1").code == 0
            clustered = _timed(shared, words)
        print(f"Redis and Postgres  {clustered.wall:8.1f} s")
        assert clustered.found == embedded.found, (clustered.found, embedded.found)
        print(f"ratio               {clustered.wall / embedded.wall:8.2f}", flush=True)


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


def _home(directory: Path, name: str, **extra: str) -> Crucible:
    home = directory / name
    home.mkdir()
    return at_home(home, **extra)


if __name__ == "__main__":
    main()

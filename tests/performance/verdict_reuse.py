"""Prints what the verdict cache saves: two identical runs on two workers, with it and without.

    python tests/performance/verdict_reuse.py [--challenges 164] [--samples 20]

Starts a Redis, a Postgres and a cluster of its own, with two evaluation workers. Half of the
samples of each challenge repeat the other half. `judged` are programs a sandbox ran, `known` those
whose verdict was remembered; equal samples of one request count once. A run's seconds are its own,
from its first message to its scores, so sampling, storing and the canaries' last word are in them.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import sqlalchemy

import services
from crucible_tasks.challenges import open_dataset, select
from judging_cluster import WELL, Cluster, open_cluster
from recorded_answers import answers

WORKERS = 2


@dataclass(frozen=True, slots=True)
class Counted:
    """Programs by a worker's log."""

    judged: int
    known: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Plain)
    parser.add_argument("--challenges", type=int, default=164, help="only the first of them")
    parser.add_argument("--samples", type=int, default=20, help="answers per challenge")
    wish = parser.parse_args()
    print(f"{'cache':5}  {'run':3}  {'seconds':>7}  {'a second':>8}  {'judged':>6}  {'known':>6}")
    for cache in ("off", "on"):
        with _own_cluster() as cluster:
            replay = _write_replay(cluster.crucible.home, wish.challenges, wish.samples)
            words = f"-m replay:{replay} -n {wish.samples} --limit {wish.challenges} -k 1 --seed 3"
            _measure(cluster, cache, words.split(), wish.challenges * wish.samples)


class _Plain(argparse.RawDescriptionHelpFormatter):
    """Keeps the docstring's lines."""


@contextmanager
def _own_cluster() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory() as text, services.postgres_server() as admin:
        directory = Path(text)
        url = sqlalchemy.make_url(admin).set(database="reuse")
        engine = sqlalchemy.create_engine(admin, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("CREATE DATABASE reuse"))
        engine.dispose()
        database = url.render_as_string(hide_password=False)
        with (
            services.redis_server(directory) as redis,
            open_cluster(directory / "cluster", redis.url, database) as cluster,
        ):
            yield cluster


def _write_replay(home: Path, challenges: int, n: int) -> Path:
    dataset = select(open_dataset("humaneval"), limit=challenges)
    path = home / "replay.jsonl"
    with path.open("w") as file:
        for position, one in enumerate(dataset.challenges):
            half = list(answers(one, position, (n + 1) // 2))
            for text in (half + half)[:n]:
                file.write(f"{json.dumps({'task_id': one.task_id, 'completion': text})}\n")
    return path


def _measure(cluster: Cluster, cache: str, words: list[str], completions: int) -> None:
    extra = {"CRUCIBLE_LOG_LEVEL": "DEBUG", "CRUCIBLE_VERDICT_CACHE": cache}
    with ExitStack() as stack:
        logs = [
            stack.enter_context(cluster.worker(f"judge{number}", WELL, "evaluation", **extra))
            for number in range(WORKERS)
        ]
        # opens the sandboxes, with programs that the runs do not hold
        assert cluster.crucible("benchmark", "-m", "reference", "--limit", "8").code == 0
        for run in (1, 2):
            before = [_counted(log) for log in logs]
            said = cluster.crucible("benchmark", *words, "--json")
            assert said.code == 0, said.err
            seconds = json.loads(said.out)["seconds"]
            after = [_counted(log) for log in logs]
            judged = sum(one.judged for one in after) - sum(one.judged for one in before)
            known = sum(one.known for one in after) - sum(one.known for one in before)
            rate = completions / seconds
            print(f"{cache:5}  {run:3}  {seconds:7.1f}  {rate:8.0f}  {judged:6}  {known:6}")


def _counted(log: Path) -> Counted:
    lines = re.findall(r" judging .* programs=(\d+) known=(\d+)", log.read_text())
    return Counted(sum(int(one) for one, _ in lines), sum(int(one) for _, one in lines))


if __name__ == "__main__":
    main()

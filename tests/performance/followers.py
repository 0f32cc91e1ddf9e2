"""What the followers of one live run cost the server: CPU of one core, over some seconds.

    python tests/performance/followers.py [--followers 50] [--challenges 164] [--n 200]

The run has a verdict more five times a second, so that every look finds something to tell.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import httpx
from sqlalchemy import update

from crucible_infra.artifacts import open_store
from crucible_infra.database import Database, open_database
from crucible_infra.database.tables import verdicts
from crucible_tasks.planning import BenchmarkPlan, RunState
from crucible_tasks.sampling import Sampling
from filled_questions import LARGE, numbered
from filled_runs import Sketch, write_run

SECONDS = 20.0


def main() -> None:
    """Fill, serve, follow, and print what it cost."""
    parser = argparse.ArgumentParser()
    for name, usual in (("followers", 50), ("challenges", 164), ("n", 200)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        database = open_database(f"sqlite:///{directory}/crucible.db")
        run_id = _filled(database, directory, wanted.challenges, wanted.n)
        server = _server(directory)
        try:
            url = f"{_address(server)}/api/v1/runs/{run_id}/events"
            events, share, idle = asyncio.run(_followed(server, database, run_id, url, wanted))
        finally:
            server.kill()
            server.wait()
        print(f"{wanted.followers} followers of {wanted.challenges * wanted.n} completions:")
        print(f"  {events / wanted.followers / SECONDS:.2f} events per second and follower")
        print(f"  {share:.1%} of a core; {idle:.1%} without any")


def _filled(database: Database, directory: str, challenges: int, n: int) -> str:
    plan = BenchmarkPlan(LARGE, numbered(challenges), Sampling(temperature=0.8), n, (1,), seed=1)
    # of no process, as in a cluster, so that it stays live
    sketch = Sketch(plan, 0.5, time.time() - 600, RunState.RUNNING, judged=0.999)
    return write_run(database, open_store(f"{directory}/artifacts"), sketch, 1)


def _server(directory: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "crucible_api", "serve", "--port", "0", "--json"],
        env={**os.environ, "CRUCIBLE_HOME": directory},
        stdout=subprocess.PIPE,
    )


def _address(server: subprocess.Popen[bytes]) -> str:
    assert server.stdout is not None
    said = b"".join(iter(server.stdout.readline, b"}\n")) + b"}"
    return str(json.loads(said)["url"])


async def _followed(
    server: subprocess.Popen[bytes],
    database: Database,
    run_id: str,
    url: str,
    wanted: argparse.Namespace,
) -> tuple[int, float, float]:
    """Events told, and the share of a core that it took; before that, that nobody took."""
    await asyncio.sleep(3)
    before = _cpu(server.pid)
    await asyncio.sleep(SECONDS / 2)
    idle = (_cpu(server.pid) - before) / (SECONDS / 2)
    has_ended = threading.Event()
    mover = threading.Thread(target=_move, args=(database, run_id, has_ended))
    mover.start()
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:
        told: list[int] = []
        follow = [_follow(client, url, told) for _ in range(wanted.followers)]
        followers = [asyncio.create_task(one) for one in follow]
        await asyncio.sleep(3)
        before, events = _cpu(server.pid), len(told)
        await asyncio.sleep(SECONDS)
        share, events = (_cpu(server.pid) - before) / SECONDS, len(told) - events
        for one in followers:
            one.cancel()
    has_ended.set()
    mover.join()
    return events, share, idle


async def _follow(client: httpx.AsyncClient, url: str, told: list[int]) -> None:
    async with client.stream("GET", url) as answer:
        async for line in answer.aiter_lines():
            told += [1] * line.startswith("event")


def _move(database: Database, run_id: str, has_ended: threading.Event) -> None:
    """Change a verdict now and then, as a judged completion would."""
    outcome = "passed"
    while not has_ended.wait(0.2):
        outcome = "failed" if outcome == "passed" else "passed"
        with database.writing() as connection:
            first = (verdicts.c.task_id == "large/0") & (verdicts.c.index == 0)
            connection.execute(
                update(verdicts).where(verdicts.c.run_id == run_id, first).values(outcome=outcome)
            )


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()

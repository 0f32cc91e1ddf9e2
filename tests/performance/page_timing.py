"""Prints how long the pages of a large run take, and what its followers cost.

    python tests/performance/page_timing.py [--others 0,100,500] [--seconds 30] [--engine ENGINE]

A run of 164 challenges x 200 completions, with more and more other runs in the same database, on
SQLite and on Postgres. Each page is asked nine times; printed are the least and the median time on
the clock, and the least CPU time of this process, which is that of the server alone. The last
column is the least time over that with the fewest other runs.
Then 50 followers of a live run of the same size, into which 200 verdicts a second are written: the
CPU time of the server's process over some seconds, as a share of one core.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx

import services as real_servers
from crucible_api.http.application import build
from crucible_api.http.services import Services
from crucible_infra.database.runs import find_run, update_run
from crucible_infra.database.verdicts import VerdictRow, each_judged, insert_verdicts
from crucible_tasks.planning import RunState
from filled_database import big_run, many_runs
from served import RULES, answering, open_filled_services

ROUNDS = 9

FOLLOWERS = 50

#: of the live run
VERDICTS_A_SECOND = 200

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Took:
    """How long a page took, in milliseconds."""

    least: float
    median: float
    cpu: float
    #: of the page
    kilobytes: float


def main() -> None:
    arguments = _arguments()
    if arguments.serve:
        _serve(Path(arguments.serve[0]), arguments.serve[1])
        return
    for engine in arguments.engine.split(","):
        with tempfile.TemporaryDirectory() as directory, _database(engine, directory) as url:
            services = open_filled_services(Path(directory), url)
            run_id = big_run(services.runs.database, services.runs.artifacts)
            _pages(engine, services, run_id, [int(one) for one in arguments.others.split(",")])
            if arguments.seconds:
                command = [sys.executable, __file__, "--serve", directory, url]
                print(engine, _followers(services, command, run_id, arguments.seconds))
            services.runs.database.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--others", default="0,100,500")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--engine", default="sqlite,postgres")
    parser.add_argument("--serve", nargs=2)
    return parser.parse_args()


@contextmanager
def _database(engine: str, directory: str) -> Iterator[str]:
    postgres = real_servers.postgres_server() if engine == "postgres" else nullcontext("")
    with postgres as url:
        yield url or f"sqlite:///{directory}/crucible.db"


def _pages(engine: str, services: Services, run_id: str, others: list[int]) -> None:
    paths = {
        "run": f"/runs/{run_id}",
        "grid": f"/runs/{run_id}/grid",
        "completion": f"/runs/{run_id}/completions?task_id=large/7&index=7",
        "runs": "/runs",
        "leaderboard": "/?dataset=starter",
        "sweeps": "/sweeps",
        "compare": f"/compare?a={run_id}&b={run_id}",
        "summary": f"/api/v1/runs/{run_id}",
        "progress": f"/api/v1/runs/{run_id}/progress",
        "verdicts": f"/api/v1/runs/{run_id}/verdicts?limit=500",
    }
    first: dict[str, float] = {}
    there = 0
    print(f"{engine:10} {'others':>6} {'page':12} {'least':>9} {'median':>9} {'CPU':>9}")
    for count in others:
        many_runs(services.runs.database, services.runs.artifacts, count - there)
        there = count
        for name, path in paths.items():
            if name == "leaderboard" and not count:
                # they are all there is of its dataset
                continue
            took = asyncio.run(_timed(services, path))
            first.setdefault(name, took.least)
            print(
                f"{engine:10} {count:6} {name:12} {took.least:6.0f} ms {took.median:6.0f} ms "
                f"{took.cpu:6.0f} ms {took.kilobytes:7.0f} kB  x {took.least / first[name]:.2f}",
                flush=True,
            )


async def _timed(services: Services, path: str) -> Took:
    transport = httpx.ASGITransport(app=build(services, RULES))
    clock, cpu = [], []
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for _ in range(ROUNDS):
            began, worked = time.perf_counter(), time.process_time()
            answer = await client.get(path)
            clock.append(1000 * (time.perf_counter() - began))
            cpu.append(1000 * (time.process_time() - worked))
            if answer.status_code != 200:
                raise SystemExit(f"{path} answered {answer.status_code}: {answer.text[:500]}")
    return Took(min(clock), statistics.median(clock), min(cpu), len(answer.content) / 1000)


def _followers(services: Services, command: list[str], run_id: str, seconds: int) -> str:
    verdicts = _take_verdicts(services, run_id)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        address = server.stdout.readline().decode().strip()
        with _connected(address, f"/api/v1/runs/{run_id}/events") as followers:
            # what the first look costs is not what following costs
            _follow(services, followers, verdicts, 3)
            began = _cpu_seconds(server.pid)
            read = _follow(services, followers, verdicts, seconds)
            used = _cpu_seconds(server.pid) - began
        server.terminate()
    return (
        f"{FOLLOWERS} followers for {seconds} s: {used:.2f} s of CPU, "
        f"{100 * used / seconds:.1f} % of one core, {read / FOLLOWERS:.0f} events each"
    )


def _take_verdicts(services: Services, run_id: str) -> list[VerdictRow]:
    """Make the run a live one with half of its verdicts; the others come back."""
    database = services.runs.database
    # apart, because reading row by row is a setting of the whole connection
    with database.reading() as connection:
        run = find_run(connection, run_id)
        assert run is not None
        rows = [
            VerdictRow(
                run_id=run_id,
                grader=run.grader,
                # a later round than the run's counts as none of its own
                grade_round=run.grade_round + 1,
                **{
                    name: getattr(row, name)
                    for name in (
                        "task_id index outcome detail cpu_seconds wall_seconds mode extraction "
                        "program_digest isolation"
                    ).split()
                },
            )
            for row in each_judged(connection, run)
        ]
    half = len(rows) // 2
    with database.writing() as connection:
        update_run(
            connection,
            run_id,
            state=RunState.RUNNING,
            grade_round=run.grade_round + 1,
            finished_at=None,
        )
        insert_verdicts(connection, rows[:half])
    return rows[half:]


def _follow(
    services: Services,
    followers: list[socket.socket],
    verdicts: list[VerdictRow],
    seconds: float,
) -> int:
    """Read what comes, and write a verdict now and then; returns how many events came."""
    selector = selectors.DefaultSelector()
    for one in followers:
        selector.register(one, selectors.EVENT_READ)
    events, end, then = 0, time.monotonic() + seconds, 0.0
    while (now := time.monotonic()) < end:
        if now > then:
            then = now + 0.25
            count = VERDICTS_A_SECOND // 4
            batch, verdicts[:count] = verdicts[:count], []
            with services.runs.database.writing() as connection:
                insert_verdicts(connection, batch)
        for key, _ in selector.select(0.1):
            assert isinstance(key.fileobj, socket.socket)
            events += key.fileobj.recv(2**16).count(b"event: progress")
    selector.close()
    return events


@contextmanager
def _connected(address: str, path: str) -> Iterator[list[socket.socket]]:
    parts = urlsplit(address)
    assert parts.hostname is not None
    request = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
    sockets = []
    try:
        for _ in range(FOLLOWERS):
            sockets.append(socket.create_connection((parts.hostname, parts.port or 80)))
            sockets[-1].sendall(request)
        yield sockets
    finally:
        for one in sockets:
            one.close()


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _serve(directory: Path, url: str) -> None:
    """Answer until terminated, as a process of its own."""
    with answering(open_filled_services(directory, url)) as address:
        print(address, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()

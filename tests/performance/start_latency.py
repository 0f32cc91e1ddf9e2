"""Prints how soon a small run starts while a big sweep is queued in front of it.

    python tests/performance/start_latency.py [--completions 100000] [--rounds 5]

A model server that takes a second for every request, a generation worker that asks it four things
at once, an evaluation worker and a controller, over a Redis and a Postgres. The sweep has so many
completions that it would take hours; once it is under way, runs of one challenge are submitted one
after another: for the same model, for another model of the same server, and for recorded answers.
Each is timed from the row of the run to its first stored completion, the second of the model's
server included, and to its verdict; `command` is the whole of `crucible benchmark`, from its first
byte to its last. Before and after, what Redis and the controller hold in memory: it must not depend
on --completions.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import psycopg
import redis
from scaling import slow_server

import process_table
import services
from commandline import Crucible, at_home
from loopback_workers import workers

#: challenges of HumanEval, and models in the sweep
_CHALLENGES, _MODELS = 164, 2

#: what is stored before the first small run: every window is full
_UNDER_WAY = 64

_QUEUES = {"controller": 1, "generation": 4, "evaluation": 1}

#: between looks at the database, in seconds
_LOOK_EVERY = 0.02

_STARTED = "SELECT EXISTS (SELECT FROM completions WHERE run_id = %s)"
_JUDGED = "SELECT EXISTS (SELECT FROM verdicts WHERE run_id = %s)"


@dataclass(frozen=True, slots=True)
class Start:
    """What a small run took, in seconds."""

    completion: float
    verdict: float
    command: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--completions", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        broker = stack.enter_context(services.redis_server(Path(place)))
        database = stack.enter_context(services.postgres_server())
        model = stack.enter_context(slow_server(1.0, ("slow", "other", "third")))
        stores = {"CRUCIBLE_BROKER_URL": broker.url, "CRUCIBLE_DATABASE_URL": database}
        # where its worker looks for models
        crucible = at_home(Path(place), **stores, OPENAI_BASE_URL=model)
        assert crucible("db", "upgrade").code == 0
        controller, *_ = stack.enter_context(workers(crucible, *_QUEUES.items()))
        # so that all of them are ready
        assert crucible("benchmark", "-m", "reference", "--limit", "1").code == 0
        one = psycopg.connect(database.replace("+psycopg", ""), autocommit=True)
        look = stack.enter_context(one)
        planned = _begin_sweep(crucible, look, model, wish.completions)
        print(f"{planned} completions queued", flush=True)
        _show_memory(broker.url, controller.pid)
        small = {
            "same model": f"openai:{model}#slow?style=base",
            "another model": f"openai:{model}#third?style=base",
            "recorded answers": "reference",
        }
        for name, spec in small.items():
            _show(name, [_start(crucible, look, spec) for _ in range(wish.rounds)])
        _show_memory(broker.url, controller.pid)


def _show(name: str, starts: list[Start]) -> None:
    found = {
        "completion": [one.completion for one in starts],
        "verdict": [one.verdict for one in starts],
        "command": [one.command for one in starts],
    }
    told = (f"{key} {statistics.median(of):5.2f} s ({max(of):.2f})" for key, of in found.items())
    print(f"{name:17}", ", ".join(told), flush=True)


def _show_memory(broker_url: str, controller: int) -> None:
    with redis.Redis.from_url(broker_url) as client:
        held = client.info("memory")["used_memory"]
    resident = sum(process.resident_kib for process in process_table.below(controller))
    print(f"Redis holds {held / 2**20:.1f} MiB, the controller {resident / 2**10:.1f} MiB")


def _begin_sweep(crucible: Crucible, look: psycopg.Connection, model: str, completions: int) -> int:
    n = -(-completions // (_CHALLENGES * _MODELS))
    models = [w for name in ("slow", "other") for w in ("-m", f"openai:{model}#{name}?style=base")]
    said = crucible("benchmark", *models, "-n", str(n), "--detach")
    assert said.code == 0, said.err
    while look.execute("SELECT count(*) FROM completions").fetchone() < (_UNDER_WAY,):  # type: ignore[operator]
        time.sleep(_LOOK_EVERY)
    return n * _CHALLENGES * _MODELS


def _start(crucible: Crucible, look: psycopg.Connection, spec: str) -> Start:
    known = set(_runs(look))
    began = time.monotonic()
    child = crucible.start("benchmark", "-m", spec, "--limit", "1", "--json")
    while not (found := set(_runs(look)) - known):
        assert child.poll() is None, child.communicate()[1].decode()
        time.sleep(_LOOK_EVERY)
    planned = time.monotonic()
    (run_id,) = found
    completion = _wait(look, _STARTED, run_id) - planned
    verdict = _wait(look, _JUDGED, run_id) - planned
    out, err = child.communicate()
    assert child.returncode == 0, err.decode()
    assert json.loads(out)["judged"] == 1
    return Start(completion, verdict, time.monotonic() - began)


def _runs(look: psycopg.Connection) -> Iterator[str]:
    yield from (row[0] for row in look.execute("SELECT id FROM runs"))


def _wait(look: psycopg.Connection, query: str, run_id: str) -> float:
    while look.execute(query.encode(), (run_id,)).fetchone() == (False,):
        time.sleep(_LOOK_EVERY)
    return time.monotonic()


if __name__ == "__main__":
    main()

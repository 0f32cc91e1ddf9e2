"""Prints how sampling grows from 1 host to 8, against a model server with a fixed latency.

    python tests/performance/scaling.py [--hosts 1,2,4,8] [--seconds 1] [--rounds 20]

A host is a generation worker of its own that asks one thing at a time; the model server, written
here, answers every request after the same time however many are asked, as if each host had its own
GPU. What is lost to Redis, to the controller and to waiting for work shows as less than linear.
Every host has --rounds requests to make, on average. Verdicts are not waited for: the clock runs
from one latency before the first stored answer to the last one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import redis
import sqlalchemy

import services
from commandline import Crucible, at_home
from loopback_workers import workers
from model_server import choices

#: interpreters start slowly when eight of them do so at once, in seconds
_READY_SECONDS = 90.0

_MODEL = "slow"


@dataclass(frozen=True, slots=True)
class SlowServer:
    """An OpenAI-compatible server that takes as long for one request as for a hundred at once."""

    seconds: float
    models: tuple[str, ...]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = head.partition("content-length:")[2].split("\r\n")[0].strip()
                body = await reader.readexactly(int(length or 0))
                writer.write(_http(await self._answer(head, body)))
                await writer.drain()
        writer.close()

    async def _answer(self, head: str, body: bytes) -> object:
        if not head.startswith("post"):
            models = [{"id": name, "owned_by": "scaling"} for name in self.models]
            return {"object": "list", "data": models}
        asked = json.loads(body)
        await asyncio.sleep(self.seconds)
        texts = [f"    return {asked['seed'] + i}\n" for i in range(asked.get("n", 1))]
        return choices(texts, is_chat="messages" in asked)


def _http(answer: object) -> bytes:
    body = json.dumps(answer).encode()
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@contextmanager
def slow_server(seconds: float, models: tuple[str, ...]) -> Iterator[str]:
    """The URL of a running one."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        asyncio.start_server(SlowServer(seconds, models).serve, "127.0.0.1", 0)
    )
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", default="1,2,4,8")
    parser.add_argument("--seconds", type=float, default=1.0, help="the server's latency")
    parser.add_argument("--rounds", type=int, default=20, help="requests per host; 8 x 20 is most")
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        directory = Path(place)
        broker = stack.enter_context(services.redis_server(directory))
        database_url = stack.enter_context(services.postgres_server())
        model_url = stack.enter_context(slow_server(wish.seconds, (_MODEL,)))
        stores = {"CRUCIBLE_BROKER_URL": broker.url, "CRUCIBLE_DATABASE_URL": database_url}
        # where the workers look for models
        crucible = at_home(directory, **stores, OPENAI_BASE_URL=model_url)
        assert crucible("db", "upgrade").code == 0
        alone: float | None = None
        for hosts in map(int, wish.hosts.split(",")):
            spent = _spent(crucible, database_url, model_url, hosts, hosts * wish.rounds)
            # the first answer had been asked for one latency before
            rate = hosts * wish.rounds / (spent + wish.seconds)
            alone = alone or rate / hosts
            print(
                f"{hosts:3} hosts  {rate:7.2f} completions a second  "
                f"{100 * rate / (hosts * alone):5.1f} % of linear  "
                f"{100 * rate * wish.seconds / hosts:5.1f} % of the servers' own",
                flush=True,
            )


def _spent(crucible: Crucible, database_url: str, model_url: str, hosts: int, limit: int) -> float:
    """Seconds from the first stored completion to the last."""
    words = f"benchmark -m openai:{model_url}#{_MODEL}?style=base --limit {limit} --detach".split()
    queues = [("controller", 1), *[("generation", 1)] * hosts]
    with workers(crucible, *queues):
        _wait_until_waiting(crucible, len(queues))
        begun = crucible(*words)
        assert begun.code == 0, begun.err
        moments = _stored(database_url, begun.out.strip(), limit)
        assert crucible("runs", "stop", begun.out.strip()).code == 0
    return moments[-1] - moments[0]


def _wait_until_waiting(crucible: Crucible, workers: int) -> None:
    """Until so many workers wait for a message: the clock must not run while they start."""
    deadline = time.monotonic() + _READY_SECONDS
    with redis.Redis.from_url(crucible.environment["CRUCIBLE_BROKER_URL"]) as broker:
        while sum(one["cmd"] == "brpop" for one in broker.client_list()) < workers:
            assert time.monotonic() < deadline, "not every worker is ready"
            time.sleep(0.2)


def _stored(database_url: str, run_id: str, wanted: int) -> list[float]:
    """When each completion was stored, in seconds, as often as one can look."""
    engine = sqlalchemy.create_engine(database_url, poolclass=sqlalchemy.NullPool)
    query = sqlalchemy.text("SELECT count(*) FROM completions WHERE run_id = :run")
    moments: list[float] = []
    with engine.connect() as connection:
        while len(moments) < wanted:
            count = connection.execute(query, {"run": run_id}).scalar_one()
            connection.rollback()
            moments += [time.monotonic()] * (count - len(moments))
            time.sleep(0.02)
    return moments


if __name__ == "__main__":
    main()

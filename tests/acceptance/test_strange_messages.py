"""Whatever lies in a queue, a worker goes on: strange messages are one line and do not repeat."""

from __future__ import annotations

import base64
import itertools
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import redis

import probe
from commandline import Crucible
from services import RedisServer
from worker_hosts import Marks, until, working

QUEUE = "evaluation"


class Bomb:
    """Runs code where somebody unpickles it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self._path,)


def _envelope(body: bytes, task: str, content_type: str = "application/json") -> str:
    """A message as Kombu and Celery write them."""
    tag = f"tag-{task}-{content_type}"
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "content-encoding": "utf-8" if "json" in content_type else "binary",
            "content-type": content_type,
            "headers": {"lang": "py", "task": task, "id": tag, "retries": 0},
            "properties": {
                "correlation_id": tag,
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": QUEUE},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": tag,
            },
        }
    )


def _map_of_marks(path: Path) -> bytes:
    task = {"task": probe.MARK.name, "args": [], "kwargs": {}, "options": {}}
    mark = {"path": str(path), "text": "mapped"}
    return json.dumps([[], {"task": task, "it": [[mark]]}, {}]).encode()


def _mark_and_more(path: Path) -> bytes:
    mark = {"path": str(path), "text": "more"}
    more = {
        "task": "crucible.generate",
        "args": [{}],
        "kwargs": {},
        "options": {"queue": "generation"},
    }
    return json.dumps([[mark], {}, {"callbacks": [more]}]).encode()


@pytest.fixture
def cluster(crucible: Crucible, redis_of_my_own: RedisServer) -> Crucible:
    crucible.environment["CRUCIBLE_BROKER_URL"] = redis_of_my_own.url
    return crucible


def test_strange_messages_are_one_line_each_and_never_come_back(
    cluster: Crucible, redis_of_my_own: RedisServer, tmp_path: Path
) -> None:
    client = redis.Redis.from_url(redis_of_my_own.url)
    marks, bomb = Marks(cluster, tmp_path / "marks"), tmp_path / "exploded"
    arguments = json.dumps([[{"path": 7}], {}, {}]).encode()
    pickled = pickle.dumps([[Bomb(bomb)], {}, {}])
    client.lpush(QUEUE, _envelope(arguments, "crucible.no_such_task"))
    client.lpush(QUEUE, _envelope(arguments, "crucible.evaluate"))
    client.lpush(QUEUE, _envelope(b"\xff{not json", "crucible.evaluate"))
    client.lpush(QUEUE, _envelope(pickled, "crucible.evaluate", "application/x-python-serialize"))
    # well-formed, and of no use to anybody who should be sending here
    client.lpush(QUEUE, _envelope(b"[[{}], {}, {}]", "crucible.reconcile"))
    client.lpush(QUEUE, _envelope(_map_of_marks(tmp_path / "marks"), "celery.map"))
    client.lpush(QUEUE, _envelope(_mark_and_more(tmp_path / "marks"), probe.MARK.name))
    with working(cluster, "--queues", QUEUE) as worker:
        marks.send("after")
        assert until(lambda: marks.texts() == ["after"], 30), worker.lines
        assert until(lambda: not client.keys("crucible.held.*"), 10)
        assert client.llen(QUEUE) == client.llen("generation") == 0
        # what is not even an envelope ends the process that reads it, which is started again
        client.lpush(QUEUE, "no json")
        worker.until("starting it again")
        marks.send("last")
        assert until(lambda: marks.texts() == ["after", "last"], 30), worker.lines
    told = list(itertools.takewhile(lambda line: "Unrecoverable" not in line, worker.lines))
    assert not bomb.exists()
    # one line each, in any order: threads write some of them
    assert len(told) == 8, told
    text = "\n".join(told)
    assert "Received unregistered task of type 'crucible.no_such_task'" in text
    assert text.count("message_refused") == 4
    assert text.count("not the work of this worker: evaluation") == 2
    assert "it asks for other tasks besides its own" in text
    assert "Can't decode message body" in text
    assert "Refusing to deserialize untrusted content" in text
    assert "Traceback" not in text

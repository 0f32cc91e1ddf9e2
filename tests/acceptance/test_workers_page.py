"""The page of workers, over a real Redis and the roster in it."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import httpx
import redis

from commandline import at_home
from services import RedisServer


def test_workers_their_queues_and_the_silent_ones_are_shown(
    redis_of_my_own: RedisServer, tmp_path: Path
) -> None:
    with redis.Redis.from_url(redis_of_my_own.url) as client:
        line = {"member": "evaluation.one", "host": "gpu-<1>", "queues": ["evaluation"]}
        client.sadd("crucible.workers.evaluation", "evaluation.one", "evaluation.two")
        client.set("crucible.worker.evaluation.one", json.dumps(line))
        client.rpush("evaluation", "x", "y", "z")
    crucible = at_home(tmp_path)
    child = crucible.start(
        "serve",
        "--port",
        "0",
        CRUCIBLE_BROKER_URL=redis_of_my_own.url,
        CRUCIBLE_FLOWER_URL="http://queue:5555/",
    )
    try:
        page = httpx.get(f"{_address(child.stderr)}workers").text
    finally:
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=60)

    assert "gpu-&lt;1&gt;" in page
    assert "<li>evaluation.two</li>" in page
    assert '<th scope="row">evaluation</th><td class="number">3</td>' in page
    assert '<a href="http://queue:5555/"' in page


def _address(lines: object) -> str:
    assert lines is not None
    for line in lines:  # type: ignore[attr-defined]
        if b"the page is at " in line:
            return str(line.split()[-1].decode())
    raise AssertionError("the server said no address")

"""What a worker has found is sent when the broker is back, however long that takes."""

from __future__ import annotations

import time
from pathlib import Path

import redis

import broker_script
from services import RedisServer

_SCRIPT = """
from crucible_tasks import sending
from crucible_tasks.control import STORE_COMPLETIONS
from crucible_tasks.generation import Generation

print("sending", flush=True)
sending.send_patiently(STORE_COMPLETIONS.signature(Generation("run", "task", ())))
"""


def test_an_answer_waits_for_the_broker(redis_of_my_own: RedisServer, tmp_path: Path) -> None:
    redis_of_my_own.kill()
    with broker_script.start(_SCRIPT, redis_of_my_own, tmp_path / "home") as sender:
        assert sender.stdout is not None
        assert sender.stdout.readline() == "sending\n"
        time.sleep(2)
        assert sender.poll() is None

        redis_of_my_own.start()

        assert sender.wait(20) == 0
    with redis.Redis.from_url(redis_of_my_own.url) as client:
        assert client.llen("controller") == 1

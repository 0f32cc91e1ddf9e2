"""What a worker has found is sent when the broker is back, however long that takes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import redis

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
    environment = {
        **os.environ,
        "CRUCIBLE_BROKER_URL": redis_of_my_own.url,
        "CRUCIBLE_HOME": str(tmp_path / "home"),
    }
    sender = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert sender.stdout is not None
    with sender.stdout as said:
        assert said.readline() == "sending\n"
    time.sleep(2)
    assert sender.poll() is None

    redis_of_my_own.start()

    assert sender.wait(20) == 0
    with redis.Redis.from_url(redis_of_my_own.url) as client:
        assert client.llen("controller") == 1

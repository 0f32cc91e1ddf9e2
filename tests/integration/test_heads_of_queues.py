"""A message that goes ahead is taken before those that wait, and counted like them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from services import RedisServer

_SCRIPT = """
from crucible_tasks.celery_app import app
from crucible_tasks.control import STORE_COMPLETIONS
from crucible_tasks.generation import Generation
from crucible_tasks.redis_transport import AHEAD
from crucible_tasks.sending import backlog, send

for name in ("first", "second"):
    send(STORE_COMPLETIONS.signature(Generation(name, "task", ())))
send(STORE_COMPLETIONS.signature(Generation("urgent", "task", ())).set(priority=AHEAD))
print(backlog("controller"))
with app.connection_for_write() as connection:
    queue = app.amqp.queues["controller"](connection.default_channel)
    for _ in range(3):
        message = queue.get()
        print(message.payload[0][0]["run_id"])
        message.ack()
"""


def test_the_head_of_a_queue_is_taken_first(redis_of_my_own: RedisServer, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "CRUCIBLE_BROKER_URL": redis_of_my_own.url,
        "CRUCIBLE_HOME": str(tmp_path / "home"),
    }
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.split() == ["3", "urgent", "first", "second"], done.stderr

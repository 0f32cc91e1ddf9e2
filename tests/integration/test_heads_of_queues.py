"""A message that goes ahead is taken before those that wait, and counted like them."""

from __future__ import annotations

from pathlib import Path

import broker_script
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
    said = broker_script.run(_SCRIPT, redis_of_my_own, tmp_path / "home")
    assert said.split() == ["3", "urgent", "first", "second"]

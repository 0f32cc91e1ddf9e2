"""Where a message is, as a real Redis tells: in a queue, with a worker, or nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

import broker_script
from services import RedisServer

_SEND = """
from crucible_tasks.control import STORE_COMPLETIONS
from crucible_tasks.generation import Generation
from crucible_tasks.sending import send

for number in range(250):
    send(STORE_COMPLETIONS.signature(Generation(f"other-{number}", "task", ())))
send(STORE_COMPLETIONS.signature(Generation("wanted", "task", ())))
"""

_ASK = """
from crucible_tasks import holdings
print(holdings.are_held("wanted", {"generation", "controller"}))
"""

_TAKE = """
import os
from crucible_tasks import holdings, roster
from crucible_tasks.celery_app import app

roster.write(roster.Line("controller.taker", "here", ("controller",)))
options = holdings.transport_options("controller.taker")
with app.connection_for_write(transport_options=options) as connection:
    queue = app.amqp.queues["controller"](connection.default_channel)
    while "wanted" not in queue.get().headers["argsrepr"]:
        pass
    # as a power cut would
    os._exit(0)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_a_message_is_found_where_it_is(redis_of_my_own: RedisServer, home: Path) -> None:
    def found() -> str:
        return broker_script.run(_ASK, redis_of_my_own, home)

    assert found() == "False"
    broker_script.run(_SEND, redis_of_my_own, home)
    assert found() == "True"
    broker_script.run(_TAKE, redis_of_my_own, home)
    with redis.Redis.from_url(redis_of_my_own.url) as client:
        assert client.llen("controller") == 0
        assert found() == "True"
        client.delete("crucible.held.controller.taker")
    assert found() == "False"
    redis_of_my_own.kill()
    # nobody knows
    assert found() == "True"

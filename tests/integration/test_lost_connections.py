"""What a worker held when it lost Redis: room is made, and the rest is settled when it is back."""

from __future__ import annotations

from pathlib import Path

import broker_script
from services import RedisServer

_SCRIPT = """
import sys
from crucible_tasks import holdings, redis_transport, roster
from crucible_tasks.celery_app import app
from crucible_tasks.control import STORE_COMPLETIONS
from crucible_tasks.generation import Generation
from crucible_tasks.sending import send

def say(*words):
    print(*words, flush=True)
    sys.stdin.readline()

sent = {name: send(STORE_COMPLETIONS.signature(Generation(name, "task", ()))).id
        for name in ("done", "running", "forgotten")}
app.conf.broker_transport_options = holdings.transport_options("controller.member")
connection = app.connection_for_write()
channel = connection.channel()
channel.basic_qos(0, 3, False)
queue = app.amqp.queues["controller"](channel)
taken = {}
for _ in sent:
    message = queue.get(no_ack=False)
    taken[message.payload[0][0]["run_id"]] = message
say("taken", channel.qos.can_consume())
try:
    taken["done"].ack()
except connection.connection_errors:
    say("lost", channel.qos.can_consume())
# as Celery closes it
connection._transport.client = None
try:
    channel.close()
except connection.connection_errors:
    pass
say("closed")
count = holdings.settle("controller.member", {sent["running"]})
client = roster.redis_client()
held = client.hvals("crucible.held.controller.member")
say(count, client.llen("controller"), len(held), b"running" in held[0])
"""


def test_what_was_held_is_settled(redis_of_my_own: RedisServer, tmp_path: Path) -> None:
    child = broker_script.start(_SCRIPT, redis_of_my_own, tmp_path / "home")
    assert child.stdin is not None
    assert child.stdout is not None
    found = []
    with child, child.stdin, child.stdout:
        for act in (redis_of_my_own.kill, lambda: None, redis_of_my_own.start, lambda: None):
            found.append(child.stdout.readline().strip())
            act()
            child.stdin.write("\n")
            child.stdin.flush()
    # with the place of what is done free, though Redis could not be told
    assert found[:3] == ["taken False", "lost True", "closed"]
    # one goes back, one is let go of, and the one that runs stays this worker's
    assert found[3] == "1 1 1 True"

"""Holdings: what one worker has taken and not acknowledged, in Redis under that worker's name.

Kombu keeps every unacknowledged message of all workers in one hash and gives it to somebody else
after the visibility time-out, an hour: nothing tells whose it was. Here each worker has a hash of
its own, so the moment it is known to be dead its work is handed back, all of it and nothing else.
"""

from __future__ import annotations

from typing import Any

from crucible_tasks.celery_app import app

_KEY = "crucible.held."


def transport_options(member: str) -> dict[str, Any]:
    """Kombu's options that make this worker's holdings its own."""
    return {
        **app.conf.broker_transport_options,
        "unacked_key": _KEY + member,
        "unacked_index_key": f"{_KEY}{member}.since",
        "unacked_mutex_key": f"{_KEY}{member}.mutex",
    }


def hand_back(member: str) -> int:
    """Put what a dead worker held at the head of its queues; returns how many messages.

    Several may do so at once: each message moves in one transaction, once.
    """
    with app.connection_for_write(transport_options=transport_options(member)) as connection:
        channel = connection.default_channel
        with channel.conn_or_acquire() as client:
            tags = client.hkeys(_KEY + member)
        for tag in tags:
            channel.qos.restore_by_tag(tag.decode())
    return len(tags)

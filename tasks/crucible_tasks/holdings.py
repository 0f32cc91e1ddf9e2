"""Holdings: what one worker has taken and not finished, in Redis under that worker's name.

Kombu keeps every unacknowledged message of all workers in one hash and gives it to somebody else
after the visibility time-out, an hour: nothing tells whose it was. Here each worker has a hash of
its own, so the moment it is known to be dead its work is handed back, all of it and nothing else.

A verdict waits in its worker's memory until canaries vouch for it, while its message is long
acknowledged. So such a message is retained: a copy stays in the hash until the verdict was sent.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from kombu.exceptions import OperationalError

from crucible_tasks import fine_tuning, roster
from crucible_tasks.capability import kind_of
from crucible_tasks.celery_app import TRAINING_VISIBILITY_SECONDS, app
from crucible_tasks.redis_transport import HOLDINGS as _KEY
from crucible_tasks.redis_transport import unacknowledged

#: before the tag of a message that was acknowledged
_RETAINED = "retained."

#: of workers that are no members, such as Celery's own `celery worker`: Kombu's own keys
_OF_STRANGERS, _SINCE_OF_STRANGERS = "unacked", "unacked_index"

#: messages looked at in one answer of Redis, some 8 KB each
_AT_ONCE = 100

#: in one step, because the message may be acknowledged right after it
_COPY = """
local message = redis.call('HGET', KEYS[1], ARGV[1])
if message then redis.call('HSET', KEYS[1], ARGV[2], message) end
"""


@dataclass(frozen=True, slots=True)
class UnderWay:
    """Messages that workers hold."""

    messages: int
    #: seconds since the epoch, when the first of them was taken; None without any
    oldest_at: float | None


def transport_options(member: str) -> dict[str, Any]:
    """Kombu's options that make this worker's holdings its own."""
    trains = kind_of(member) == fine_tuning.QUEUE
    return {
        **app.conf.broker_transport_options,
        **({"visibility_timeout": TRAINING_VISIBILITY_SECONDS} if trains else {}),
        "unacked_key": _KEY + member,
        "unacked_index_key": _since(member),
        "unacked_mutex_key": f"{_KEY}{member}.mutex",
    }


@contextmanager
def _channel_of(member: str) -> Iterator[Any]:
    """A channel that takes this worker's holdings for its own."""
    with app.connection_for_write(transport_options=transport_options(member)) as connection:
        yield connection.default_channel


def _since(member: str) -> str:
    return f"{_KEY}{member}.since"


def hand_back(member: str) -> int:
    """Put what a dead worker held at the head of its queues; returns how many messages.

    Several may do so at once: each message moves in one transaction, once.
    """
    with _channel_of(member) as channel:
        with channel.conn_or_acquire() as client:
            tags = {tag.decode() for tag in client.hkeys(_KEY + member)}
        twice = {tag for tag in tags if tag.removeprefix(_RETAINED) in tags - {tag}}
        for tag in tags - twice:
            channel.qos.restore_by_tag(tag)
        for tag in twice:
            channel.qos.reject(tag)
    return len(tags - twice)


def settle(member: str, running: Collection[str]) -> int:
    """Settle what a live worker was given on connections that are lost.

    What is done is let go of, what is neither running (ids of messages) nor retained goes back to
    its queue. Returns how many went back.
    """
    done = frozenset(unacknowledged)
    count = 0
    with _channel_of(member) as channel:
        with channel.conn_or_acquire() as client:
            held = client.hgetall(_KEY + member)
        for key, content in held.items():
            tag = key.decode()
            if tag in done:
                channel.qos.reject(tag)
            elif not tag.startswith(_RETAINED) and _message_of(content) not in running:
                channel.qos.restore_by_tag(tag)
                count += 1
    unacknowledged.difference_update(done)
    return count


def are_held(run_id: str, queues: Collection[str]) -> bool:
    """Whether a message of this run waits in one of these queues or is held by some worker.

    Takes milliseconds, or a tenth of a second for thousands of messages. Also true when Redis
    cannot tell.
    """
    # what our messages show as their arguments names the run; their bodies are encoded
    name = run_id.encode()
    try:
        client = roster.redis_client()
        held = any(
            name in message
            for key in (_OF_STRANGERS, *(_KEY + member for member in roster.members()))
            for message in client.hvals(key)
        )
        return held or any(_waits(client, name, queue) for queue in queues)
    except (*roster.redis_errors(), OperationalError):
        return True


def under_way(client: Any) -> UnderWay:
    """What all workers hold, asked for in two round trips. Raises what Redis' client raises."""
    members = roster.members(client=client)
    pipe = client.pipeline()
    for key in (_OF_STRANGERS, *(_KEY + member for member in members)):
        pipe.hlen(key)
    for key in (_SINCE_OF_STRANGERS, *map(_since, members)):
        pipe.zrange(key, 0, 0, withscores=True)
    answers = pipe.execute()
    half = len(answers) // 2
    first = [at for oldest in answers[half:] for _, at in oldest]
    return UnderWay(sum(answers[:half]), min(first, default=None))


def _waits(client: Any, name: bytes, queue: str) -> bool:
    for start in range(0, client.llen(queue), _AT_ONCE):
        if any(name in message for message in client.lrange(queue, start, start + _AT_ONCE - 1)):
            return True
    return False


def _message_of(content: bytes) -> str:
    message, *_ = json.loads(content)
    return str(message["headers"]["id"])


class Retained:
    """The messages of one worker whose results its process still has to send."""

    def __init__(self, member: str) -> None:
        self._key = _KEY + member
        self._client = roster.redis_client()
        self._errors = roster.redis_errors()
        self._tags: defaultdict[Hashable, list[str]] = defaultdict(list)

    def retain(self, tag: str, result: Hashable) -> None:
        """Keep the message with this delivery tag until the result is released."""
        copy = _RETAINED + tag
        self._tags[result].append(copy)
        # without Redis it cannot be acknowledged either
        with suppress(*self._errors):
            self._client.eval(_COPY, 1, self._key, tag, copy)

    def release(self, result: Hashable) -> None:
        """Let go of the messages that this result answers."""
        copies = self._tags.pop(result, None)
        if copies:
            # what stays for want of Redis is judged once more, which changes nothing
            with suppress(*self._errors):
                self._client.hdel(self._key, *copies)


_retained: list[Retained] = []


def retain_here(retained: Retained | None) -> None:
    """Retain messages in this process from now on, or no longer; commands retain nothing."""
    _retained[:] = [retained] if retained else []


def retain(result: Hashable) -> None:
    """Keep the message being worked on, though it is about to be acknowledged."""
    for retained in _retained:
        retained.retain(app.current_task.request.properties["delivery_tag"], result)


def release(result: Hashable) -> None:
    """Say that this result was sent."""
    for retained in _retained:
        retained.release(result)

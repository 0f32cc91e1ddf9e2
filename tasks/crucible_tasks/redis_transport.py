"""Kombu's Redis transport, whose channels outlive the connection they were opened on.

A worker's task may end after its connection was lost, and Kombu closes a lost connection by giving
back what it had delivered. Its own channel then asks a connection that is no longer there for the
address of Redis, which ends the worker. And a message whose acknowledgement fails keeps its place
among those that may be delivered, so after a few of them a worker that seems well takes nothing.

Nor does it trust what other workers left in Redis: what one of them held goes back to a queue of
its kind, and who may not bind queues uses them as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from kombu.utils.json import dumps
from redis.exceptions import NoPermissionError

from crucible_infra import log
from crucible_tasks.capability import kind_of

#: before a member's name: what that worker has taken and not finished, see `holdings`
HOLDINGS = "crucible.held."

#: the priority of a message that goes before whatever waits in its queue. Kombu has a list for
#: each few priorities, and this one's is that of messages without any
AHEAD = 1

#: delivery tags of what is done and could not be acknowledged: `reconnection` lets go of them
unacknowledged: set[str] = set()


class QoS(redis.QoS):  # type: ignore[misc] # Kombu is untyped
    """Makes room for another message even when Redis cannot be told."""

    def ack(self, delivery_tag: str) -> None:
        """Say that a message is done with. Raises what Redis' client raises."""
        try:
            self._tell(super().ack, delivery_tag)
        except self.channel.connection_errors:
            unacknowledged.add(delivery_tag)
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:  # noqa: FBT001, FBT002
        """Say that a message was not done. Raises what Redis' client raises."""
        reject = super().reject
        self._tell(lambda tag: reject(tag, requeue=requeue), delivery_tag)

    def _tell(self, tell: Callable[[str], object], delivery_tag: str) -> None:
        try:
            tell(delivery_tag)
        except self.channel.connection_errors:
            virtual.QoS.ack(self, delivery_tag)
            raise


class Channel(redis.Channel):  # type: ignore[misc] # Kombu is untyped
    """A channel that remembers where Redis is, lets a message go first, and trusts no holdings."""

    QoS = QoS

    _address: dict[str, Any]
    #: until Redis has refused it
    _may_bind = True

    def _put(self, queue: str, message: Any, **options: Any) -> None:
        if message["properties"].get("priority") != AHEAD:
            super()._put(queue, message, **options)
            return
        # where the next one is taken from
        with self.conn_or_acquire() as client:
            client.rpush(queue, dumps(message))

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
        if self.connection.client is None:
            return dict(self._address)
        found: dict[str, Any] = super()._connparams(asynchronous)
        self._address = dict(found)
        return found

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        """Bind a queue; left to whoever sends to it where these credentials do not allow it."""
        with self._unless_forbidden():
            super()._queue_bind(exchange, routing_key, pattern, queue)

    def maybe_refresh_binding_expiry(self) -> None:
        """Keep bindings that expire, unless they are not this process' own; newer Kombus ask."""
        if self._may_bind:
            with self._unless_forbidden():
                super().maybe_refresh_binding_expiry()

    def _delete(self, queue: str, *rest: Any, **more: Any) -> None:
        """Forget a queue; its binding stays where these credentials do not allow its end."""
        with self._unless_forbidden():
            super()._delete(queue, *rest, **more)

    @contextmanager
    def _unless_forbidden(self) -> Iterator[None]:
        try:
            yield
        except NoPermissionError as error:
            self._may_bind = False
            log.debug("binding_not_allowed", problem=str(error))

    def _hand_back(
        self, payload: Any, exchange: str, routing_key: str, *rest: Any, **more: Any
    ) -> None:
        """Hand a message back, unless its holder's kind of worker cannot have taken it there.

        Else whoever writes one worker's holdings could send to any queue by way of the others.
        """
        holder = kind_of(self.unacked_key.removeprefix(HOLDINGS))
        queues = self._lookup(exchange, routing_key)
        if self.unacked_key.startswith(HOLDINGS) and any(kind_of(one) != holder for one in queues):
            log.error("message_refused", held_by=self.unacked_key, queues=sorted(queues))
            return
        super()._do_restore_message(payload, exchange, routing_key, *rest, **more)

    #: what Kombu calls it
    _do_restore_message = _hand_back


class Transport(redis.Transport):  # type: ignore[misc] # Kombu is untyped
    """What Celery uses for the URL of a Redis, after `use`."""

    Channel = Channel


def use() -> None:
    """Let every URL of a Redis mean this transport in this process."""
    # rather than Celery's `broker_transport`, which a redis+socket:// URL overrules
    place = f"{__name__}:{Transport.__name__}"
    TRANSPORT_ALIASES.update(redis=place, rediss=place)

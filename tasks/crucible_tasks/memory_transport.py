"""The in-memory transport that wakes its consumers instead of letting them poll.

Kombu's own memory transport sleeps between looks at its queues: 1 s by default, and a shorter
interval trades latency for an idle processor. Here whatever can make a consumer able to go on
(a message, an acknowledgement that frees a prefetch slot, a wish to stop) notifies a condition,
so a round trip costs no waiting and an idle consumer costs nothing.
"""

from __future__ import annotations

import threading
import time
from queue import Empty
from typing import Any

from kombu.transport import memory


class _Arrivals:
    """Counts what happened, so that nothing between a look and a wait is missed."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.count = 0

    def announce(self) -> None:
        with self._condition:
            self.count += 1
            self._condition.notify_all()

    def wait_beyond(self, seen: int, timeout_seconds: float | None) -> None:
        with self._condition:
            self._condition.wait_for(lambda: self.count != seen, timeout_seconds)


#: one for the process, as the memory transport's queues are
_arrivals = _Arrivals()


def wake_consumers() -> None:
    """Make every consumer look at its queues and at whether it should stop."""
    _arrivals.announce()


class Channel(memory.Channel):  # type: ignore[misc] # Kombu is untyped
    """A channel that tells what consumers wait for."""

    def _put(self, queue: str, message: Any, **options: Any) -> None:
        super()._put(queue, message, **options)
        _arrivals.announce()

    def basic_ack(self, delivery_tag: str, *options: Any, **more: Any) -> None:
        """Make room for another message."""
        super().basic_ack(delivery_tag, *options, **more)
        _arrivals.announce()

    def basic_reject(self, delivery_tag: str, *options: Any, **more: Any) -> None:
        """Make room for another message, or for this one again."""
        super().basic_reject(delivery_tag, *options, **more)
        _arrivals.announce()


class Transport(memory.Transport):  # type: ignore[misc] # Kombu is untyped
    """Named in Celery's `broker_transport` when the broker is `memory://`."""

    Channel = Channel

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:
        """Deliver one message; TimeoutError when woken or timed out without one."""
        del connection
        deadline = None if timeout is None else time.monotonic() + timeout
        seen = _arrivals.count
        if self._deliver_one():
            return
        remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
        _arrivals.wait_beyond(seen, remaining)
        if not self._deliver_one():
            # Celery's loop takes this for "nothing yet" and looks whether it should stop
            raise TimeoutError

    def _deliver_one(self) -> bool:
        try:
            self.cycle.get(self._deliver)
        except Empty:
            return False
        return True

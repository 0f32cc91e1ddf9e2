"""The controller's own figures: what waits in the broker, what the database says is missing.

They describe the cluster and not a host, so only processes that serve the controller's queue show
them. Looking them up is kept to a hundredth of one core, however large the database: what took a
second is looked up again after two hundred. Prometheus gets the last answer meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from celery import signals

from crucible_infra import log, metrics, settings
from crucible_infra.database import Database, open_database
from crucible_infra.database.totals import Totals, totals
from crucible_infra.errors import StorageError
from crucible_infra.metrics import Figure
from crucible_tasks import control, holdings
from crucible_tasks.celery_app import QUEUES
from crucible_tasks.planning import RunState

#: seconds an answer is good for at least: Prometheus asks every 15 s, each of its replicas too
FRESH_SECONDS = 10.0

#: the most of the time that each of the two sources may take
SHARE = 0.005

#: what Kombu calls the sets of queues bound to an exchange, and what separates their parts
_BINDINGS = "_kombu.binding.*"
_SEPARATOR = b"\x06\x16"

#: queues of Celery's own talk: replies, events, remote control
_INTERNAL = ("celeryev", "pidbox")


@dataclass(slots=True)
class Paced:
    """A source that answers from its memory until asking again is cheap enough."""

    source: Callable[[], Iterable[Figure]]
    #: seconds, always forward
    now: Callable[[], float] = time.monotonic
    _known: tuple[Figure, ...] = ()
    _again_at: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> tuple[Figure, ...]:
        """What is known now."""
        with self._lock:
            began = self.now()
            if began >= self._again_at:
                self._known = tuple(self.source())
                ended = self.now()
                self._again_at = ended + max(FRESH_SECONDS, (ended - began) / SHARE)
            return self._known


@dataclass(frozen=True, slots=True)
class BrokerState:
    """What waits in Redis."""

    #: messages by queue
    waiting: dict[str, int]
    #: messages handed to workers that have not acknowledged them
    unacknowledged: int
    #: since the epoch, when the first of them was handed out; None without any
    oldest_at: float | None


def database_figures(database: Database) -> Iterator[Figure]:
    """Runs by state, and what is missing of the live ones."""
    try:
        with database.reading() as connection:
            found = totals(connection, RunState.RUNNING)
    except StorageError as error:
        log.warning("totals_not_read", problem=error.message)
        yield _reached("database", is_there=False)
        return
    yield _reached("database", is_there=True)
    yield from _total_figures(found)


def broker_figures(read: Callable[[], BrokerState]) -> Iterator[Figure]:
    """Messages by queue, and those that nobody has acknowledged yet."""
    try:
        state = read()
    except Exception as error:  # noqa: BLE001 -- kombu's and redis-py's errors have no common base
        log.warning("queues_not_read", problem=str(error))
        yield _reached("broker", is_there=False)
        return
    yield _reached("broker", is_there=True)
    for queue, count in state.waiting.items():
        yield Figure("crucible_queue_messages", "Messages that wait.", count, {"queue": queue})
    yield Figure(
        "crucible_unacknowledged_messages", "Messages under way in workers.", state.unacknowledged
    )
    yield Figure(
        "crucible_oldest_unacknowledged_seconds",
        "How long the oldest of them is under way; 0 without any.",
        _age(state.oldest_at),
    )


def read_broker(connection: Any) -> BrokerState:
    """Ask Redis on this connection; raises what Kombu raises, at once."""
    # once: a scrape does not wait for a broker that is away
    connection.connect()
    channel = connection.channel()
    client = channel.client
    names = {*QUEUES, *_bound_queues(client)}
    held = holdings.under_way(client)
    return BrokerState(
        # Kombu adds its priorities up
        {name: channel.queue_declare(name).message_count for name in sorted(names)},
        held.messages,
        held.oldest_at,
    )


@signals.worker_ready.connect
def _show_the_cluster(sender: Any, **_: object) -> None:
    current = settings.current()
    is_wanted = current.metrics_port is not None and not current.is_embedded
    if is_wanted and control.QUEUE in sender.app.amqp.queues.consume_from:
        database = open_database(current.database_url)
        metrics.look_up(Paced(lambda: database_figures(database)))
        metrics.look_up(Paced(lambda: broker_figures(lambda: _read(sender.app))))


def _read(app: Any) -> BrokerState:
    # closed at once: the worker's own may be lost or reconnecting
    with app.connection_for_read() as connection:
        return read_broker(connection)


def _total_figures(found: Totals) -> Iterator[Figure]:
    for state in dict.fromkeys((*RunState, *found.runs_by_state)):
        count = found.runs_by_state.get(state, 0)
        yield Figure("crucible_runs", "Runs by state.", count, {"state": str(state)})
    yield Figure(
        "crucible_missing_completions",
        "Completions that running runs still lack.",
        found.missing_completions,
    )
    yield Figure(
        "crucible_missing_verdicts",
        "Completions of running runs that have no verdict yet.",
        found.missing_verdicts,
    )
    yield Figure(
        "crucible_longest_silence_seconds",
        "How long ago the quietest running run was last heard of; 0 without any.",
        _age(found.oldest_news),
    )


def _reached(source: str, *, is_there: bool) -> Figure:
    return Figure(
        "crucible_controller_reaches",
        "1 where the controller reaches what it needs.",
        is_there,
        {"source": source},
    )


def _bound_queues(client: Any) -> Iterator[str]:
    """Queues that other processes declared: those of models this one has not heard of."""
    for key in client.scan_iter(match=_BINDINGS):
        for binding in client.smembers(key):
            queue = binding.split(_SEPARATOR)[-1].decode()
            if not any(word in queue for word in _INTERNAL):
                yield queue


def _age(at: float | None) -> float:
    return 0.0 if at is None else max(0.0, time.time() - at)

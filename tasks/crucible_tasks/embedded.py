"""Workers inside this process: the default where no broker is configured.

One consumer per queue, each with its own threads. They are Celery's own, so a task takes the same
way here as in a cluster; only the transport and the pool differ.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from celery import signals
from celery.bootsteps import CLOSE
from celery.worker import WorkController, state

from crucible_infra import settings
from crucible_infra.errors import CrucibleError, DiskFull
from crucible_tasks import control, evaluation, fine_tuning, generation
from crucible_tasks.celery_app import QUEUES, RECONCILE_SECONDS, app, send_reconcile
from crucible_tasks.daemon_pool import TaskPool
from crucible_tasks.memory_transport import wake_consumers

#: a consumer is ready in milliseconds; this only ends a wait for one that is stuck
_START_SECONDS = 10.0

#: a woken consumer leaves its loop at once; this only ends a wait for one that is stuck
_STOP_SECONDS = 1.0

#: Celery's settings and state are the process' own, so are these workers
_is_running = threading.Lock()

_full_disks: list[DiskFull] = []


@contextmanager
def embedded_worker(
    *, generation_threads: int, evaluation_slots: int, trains: bool = False
) -> Iterator[None]:
    """Serve every queue from this process for the length of the block; fine_tune where it trains.

    The controller has one thread, because it is the only writer of the database. When the block
    ends, for whatever reason, waiting tasks are dropped and running ones are given a moment and
    then left behind on daemon threads: the database knows what is missing.
    Raises CrucibleError when one is running already or cannot start.
    """
    if not _is_running.acquire(blocking=False):
        raise CrucibleError("an embedded worker is running in this process already")
    threads = {
        control.QUEUE: 1,
        generation.QUEUE: generation_threads,
        evaluation.QUEUE: evaluation_slots,
    }
    if trains:
        threads[fine_tuning.QUEUE] = 1
    with ExitStack() as stack:
        stack.callback(_is_running.release)
        stack.enter_context(_silent_celery())
        _full_disks.clear()
        # a thread of the pool looks its app up
        app.set_default()
        _declare_queues()
        _forget_the_last_one()
        consumers: list[_Consumer] = []
        stack.callback(_stop, consumers)
        for queue, count in threads.items():
            consumers.append(_Consumer(queue, count))
            # one after the other: the selected queue is the app's, not the worker's
            consumers[-1].start()
        stack.enter_context(_reconciling())
        yield


def raise_if_full() -> None:
    """Raise DiskFull when a task of this process could not store its result for want of space.

    The task would be tried again for ever, and the command that waits for it would never know.
    """
    if _full_disks:
        raise _full_disks[0]


@signals.task_failure.connect
def _remember_full_disk(exception: BaseException, **_: Any) -> None:
    if isinstance(exception, DiskFull):
        _full_disks.append(exception)


class _Consumer:
    """One Celery worker on a daemon thread: no signals, no gossip, no events."""

    def __init__(self, queue: str, threads: int) -> None:
        self._queue = queue
        self._is_ready = threading.Event()
        self.worker = WorkController(
            app=app,
            hostname=f"{queue}@embedded",
            queues=[queue],
            pool_cls=TaskPool,
            concurrency=threads,
            ready_callback=lambda _: self._is_ready.set(),
            without_mingle=True,
            without_gossip=True,
            without_heartbeat=True,
        )
        self.thread = threading.Thread(
            target=self.worker.start, name=f"crucible-{queue}", daemon=True
        )

    def start(self) -> None:
        """Start and wait until it consumes."""
        self.thread.start()
        if not self._is_ready.wait(_START_SECONDS):
            raise CrucibleError(f"the embedded {self._queue} worker did not start")

    def leave_loop(self) -> None:
        """Let it notice, when woken, that it should end."""
        self.worker.consumer.blueprint.state = CLOSE


def _stop(consumers: list[_Consumer]) -> None:
    for consumer in consumers:
        consumer.leave_loop()
    wake_consumers()
    for consumer in consumers:
        consumer.thread.join(_STOP_SECONDS)
    # one after the other and from here: Celery changes the process' socket time-out meanwhile
    for consumer in consumers:
        consumer.worker.stop()


def _declare_queues() -> None:
    # now, because two threads that meet a new queue would make it twice
    with app.connection_for_write() as connection:
        for queue in app.amqp.queues.values():
            queue(connection.default_channel).declare()


def _forget_the_last_one() -> None:
    """Drop what an earlier worker of this process left waiting: its database may be another.

    Now rather than when it stopped, because tasks it left behind may have sent more since.
    """
    with app.connection_for_write() as connection:
        for name in QUEUES:
            connection.default_channel.queue_purge(name)
    state.reset_state()


@contextmanager
def _reconciling() -> Iterator[None]:
    """Tick on a thread of its own: Celery's timer thread cannot be stopped within its second."""
    has_ended = threading.Event()

    def tick() -> None:
        while not has_ended.wait(RECONCILE_SECONDS):
            send_reconcile()

    thread = threading.Thread(target=tick, name="crucible-reconcile", daemon=True)
    thread.start()
    try:
        yield
    finally:
        has_ended.set()
        thread.join(_STOP_SECONDS)


@contextmanager
def _silent_celery() -> Iterator[None]:
    """Our log says what failed; Celery's talk is for whoever debugs it."""
    loggers = [logging.getLogger(name) for name in ("celery", "kombu")]
    levels = [logger.level for logger in loggers]
    if not settings.current().is_debugging:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

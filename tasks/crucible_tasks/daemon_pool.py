"""A Celery pool of daemon threads, which can be left behind when the user wants to stop.

Celery's own thread pool waits for its running tasks when it stops, and Python waits for its
threads again at exit: Ctrl-C during a model's minute-long answer would take that minute.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from celery.concurrency.base import BasePool, apply_target

from crucible_infra import log

#: how long a stopping pool waits for tasks that are about to end, in seconds
STOP_SECONDS = 0.25

Job = Callable[[], None]


class TaskPool(BasePool):  # type: ignore[misc] # Celery is untyped
    """`limit` threads that take jobs from one queue."""

    body_can_be_buffer = True
    signal_safe = False
    # Celery's guard against tasks that wait for tasks is for the process: the door here waits too
    task_join_will_block = False

    def on_start(self) -> None:
        """Start the threads."""
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._is_stopping = False
        self.threads = [
            threading.Thread(target=self._work, name=f"crucible-task-{slot}", daemon=True)
            for slot in range(self.limit)
        ]
        for thread in self.threads:
            thread.start()

    def on_apply(
        self,
        target: Callable[..., Any],
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
        callback: Callable[..., Any] | None = None,
        accept_callback: Callable[..., Any] | None = None,
        **_: Any,
    ) -> None:
        """Queue one task."""
        self._jobs.put(lambda: apply_target(target, args, kwargs, callback, accept_callback))

    def on_stop(self) -> None:
        """Drop what has not started; wait a moment for what has."""
        self._is_stopping = True
        for _ in self.threads:
            self._jobs.put(None)
        self.wait()

    def wait(self) -> None:
        """Wait for running tasks, a moment."""
        deadline = time.monotonic() + STOP_SECONDS
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def on_terminate(self) -> None:
        """Stop; threads cannot be killed."""
        self.on_stop()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None and not self._is_stopping:
            try:
                job()
            except Exception as error:  # noqa: BLE001 -- Celery's bookkeeping failed, not the task
                # a task left behind finds its connection closed, which is no news
                if not self._is_stopping:
                    log.error("task_bookkeeping_failed", error=error)

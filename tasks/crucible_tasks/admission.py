"""Admission: which messages a worker takes from its queue, whoever has put them there.

Celery's messages can ask for more than their own task: for other tasks once it is done, which the
worker would then send with its own credentials, to any queue. And each worker knows every task, so
that a controller would judge programs, or ask a model at any address, for whoever reaches its
queue. A worker therefore takes the work of its own kind, and nothing that comes with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from celery import Task
from celery.worker.strategy import default

from crucible_infra import log
from crucible_tasks.capability import kind_of

Handler = Callable[..., Any]

#: where Kombu says that Redis was away just then
_logger = logging.getLogger("celery.worker.request")


class AdmittedTask(Task):  # type: ignore[misc] # Celery is untyped
    """What tasks of ours and Celery's own are made of."""

    Strategy = f"{__name__}:admitting"
    #: where a contract's requests wait; None for Celery's own tasks, which nobody may ask for
    contract_queue: str | None = None


def admitting(task: AdmittedTask, app: Any, consumer: Any) -> Handler:
    """Celery's own way to begin a task, for messages that ask for that task alone."""
    begin: Handler = default(task, app, consumer)

    def admit(message: Any, body: object, ack: Handler, reject: Handler, callbacks: Any) -> Any:
        problem = _problem(task, consumer, message)
        if problem is None:
            return begin(message, body, ack, reject, callbacks)
        log.error("message_refused", work=task.name, problem=problem)
        return reject(_logger, consumer.connection_errors, False)

    return admit


def _problem(task: AdmittedTask, consumer: Any, message: Any) -> str | None:
    kinds = {kind_of(queue.name) for queue in consumer.task_consumer.queues}
    if task.contract_queue is None or kind_of(task.contract_queue) not in kinds:
        return f"not the work of this worker: {', '.join(sorted(kinds))}"
    content = message.payload
    if not isinstance(content, list | tuple) or len(content) != 3:
        return "not a request"
    *_, more = content
    if more and (not isinstance(more, dict) or any(more.values())):
        return "it asks for other tasks besides its own"
    return None

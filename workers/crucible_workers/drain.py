"""Drains a sick host: its workers take no more programs, and say why to whoever asks."""

from __future__ import annotations

import socket
from typing import Any

from celery import signals
from celery.worker.control import inspect_command

from crucible_infra import log, metrics, settings
from crucible_tasks.drained import ASK_DRAINED, DrainedHost
from crucible_tasks.evaluation import QUEUE
from crucible_workers.canaries import Complaint

_consumers: list[Any] = []
_drained: list[DrainedHost] = []


def drain(complaint: Complaint) -> None:
    """Stop this process' consumption of evaluation requests; its other queues go on.

    One process' own worker goes on and refuses, because its run must end.
    """
    host = socket.gethostname()
    log.error(
        "host_sick",
        host=host,
        canary=complaint.canary.name,
        expected=complaint.expected,
        seen=complaint.seen,
        hint="repair the host (crucible doctor), then start its worker again",
    )
    _drained.append(DrainedHost(host, str(complaint)))
    metrics.host_drained()
    if settings.current().is_embedded:
        return
    for consumer in _consumers:
        # in the consumer's own thread; by way of the broker it would depend on the broker
        consumer.call_soon(consumer.cancel_task_queue, QUEUE)


@signals.worker_ready.connect
def _remember_consumer(sender: Any, **_: object) -> None:
    _consumers[:] = [sender]


@inspect_command(name=ASK_DRAINED)
def _tell_drained(state: Any) -> list[dict[str, str]]:
    """Why this worker takes no more programs; empty when it does."""
    del state
    return [{"host": one.host, "reason": one.reason} for one in _drained]

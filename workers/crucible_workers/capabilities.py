"""Capabilities: a generation worker takes the work of the models its own host serves just now.

The usual ports are looked at every few seconds, so a model server that is started later is used
later, and one that ends is no longer sent what others could do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from celery import signals

from crucible_infra import log, settings
from crucible_infra.errors import InvalidInput
from crucible_tasks import capability, membership
from crucible_tasks.celery_app import know_queue
from crucible_tasks.model_spec import ModelSpec
from crucible_workers.models import in_process

#: seconds between looks: five connections to this host, and a person who has just started a model
#: server reads its first lines meanwhile
LOOK_SECONDS = 10.0

#: looks in a row without a model before it counts as gone: a server may be too busy to answer one
PATIENT_LOOKS = 3


class Served:
    """The models this host serves, as seen by looks."""

    def __init__(self) -> None:
        self._misses: dict[ModelSpec, int] = {}
        self._queues: dict[ModelSpec, tuple[str, ...]] = {}

    def saw(self, found: Mapping[ModelSpec, tuple[str, ...]]) -> bool:
        """Take one look's models with their queues; whether anything changed."""
        before = dict(self._queues)
        for spec in self._queues:
            self._misses[spec] = 0 if spec in found else self._misses.get(spec, 0) + 1
        kept = {
            spec: queues
            for spec, queues in self._queues.items()
            if self._misses[spec] < PATIENT_LOOKS
        }
        self._queues = kept | dict(found)
        return self._queues != before

    @property
    def models(self) -> tuple[str, ...]:
        """Their specs."""
        return tuple(sorted(str(spec) for spec in self._queues))

    @property
    def queues(self) -> frozenset[str]:
        """Where their work waits."""
        return frozenset(queue for queues in self._queues.values() for queue in queues)


def look() -> dict[ModelSpec, tuple[str, ...]]:
    """The models that answer on this host, with the queues their work waits in.

    Raises InvalidModelSpec when OLLAMA_HOST or OPENAI_BASE_URL is no URL.
    """
    from crucible_workers.models.discovery import discover  # noqa: PLC0415 -- needs httpx

    return {
        spec: capability.served_queues(spec, endpoint.place.url)
        for endpoint in discover()
        for spec in endpoint.specs
    }


def _follow(consumer: Any) -> None:
    """Look for ever, and let the consumer take what the models of this host are asked."""
    served, is_first = Served(), True
    # what no look could find
    taken = _take(consumer, frozenset(), served)
    while True:
        try:
            has_changed = served.saw(look())
        except InvalidInput as error:
            # it will not change while this process lives
            log.error("models_not_found", error=error)
            return
        if has_changed:
            taken = _take(consumer, taken, served)
        if has_changed or is_first:
            models = ", ".join(served.models) or "none on the usual ports"
            log.info("models_of_this_host", models=models)
        is_first = False
        time.sleep(LOOK_SECONDS)


def _take(consumer: Any, taken: frozenset[str], served: Served) -> frozenset[str]:
    wanted = served.queues | _own_queues()
    for queue in sorted(wanted - taken):
        know_queue(queue)
        # in the consumer's own thread
        consumer.call_soon(consumer.add_task_queue, queue)
    for queue in sorted(taken - wanted):
        consumer.call_soon(consumer.cancel_task_queue, queue)
    membership.serve((capability.COMMON, *sorted(wanted)), served.models)
    return wanted


def _own_queues() -> frozenset[str]:
    return frozenset({capability.IN_PROCESS} if in_process.is_installed() else ())


@signals.worker_ready.connect
def _begin(sender: Any, **_: object) -> None:
    if settings.current().is_embedded:
        return
    if capability.COMMON in sender.app.amqp.queues.consume_from:
        threading.Thread(target=_follow, args=(sender,), name="crucible-look", daemon=True).start()

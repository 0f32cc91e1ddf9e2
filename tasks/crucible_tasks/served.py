"""Whether any worker serves a model or a queue: asked before work is sent where nobody takes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from crucible_infra import log, settings
from crucible_infra.errors import BrokerUnavailable, ModelNotFound, NoWorker
from crucible_tasks import roster

Answer = TypeVar("Answer")

#: seconds a model's worker may need to tell of it: it may have been started together with us
PATIENCE_SECONDS = 5.0

_LOOK_SECONDS = 0.25

#: models named in one line
_MOST_NAMED = 8


def demand_served(queue: str, model: str) -> None:
    """Wait a moment for a worker that takes from this queue.

    Raises ModelNotFound, with what is served instead, and BrokerUnavailable.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while queue not in {queue for line in present() for queue in line.queues}:
        if time.monotonic() > deadline:
            raise _not_served(model)
        time.sleep(_LOOK_SECONDS)


def demand_worker(queue: str, count: int = 1) -> None:
    """Wait a moment for so many workers that take from this queue.

    Raises NoWorker and BrokerUnavailable.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(there := workers_of(queue)) < count:
        if time.monotonic() > deadline:
            raise _too_few(queue, len(there), count)
        time.sleep(_LOOK_SECONDS)


def workers_of(queue: str) -> frozenset[str]:
    """The names of the workers that take from this queue now. Raises BrokerUnavailable."""
    return frozenset(line.member for line in present() if queue in line.queues)


def _too_few(queue: str, there: int, count: int) -> NoWorker:
    more = f"on a host that can: crucible worker --queues {queue}"
    if there == 0:
        return NoWorker(f"no worker serves the queue {queue}", hint=more)
    serve = "1 worker serves" if there == 1 else f"{there} workers serve"
    return NoWorker(f"{serve} the queue {queue}, and {count} are asked for", hint=more)


def present() -> tuple[roster.Line, ...]:
    """Every worker that is there. Raises BrokerUnavailable."""
    return _answer(roster.present)


def gone() -> tuple[str, ...]:
    """The names of the workers that have fallen silent. Raises BrokerUnavailable."""
    return _answer(roster.gone)


def waiting(queues: Sequence[str]) -> dict[str, int]:
    """How many messages wait in each of these queues. Raises BrokerUnavailable."""
    return _answer(lambda: roster.waiting(queues))


def _answer(question: Callable[[], Answer]) -> Answer:
    try:
        return question()
    except roster.redis_errors() as error:
        place = log.redact(settings.current().broker_url)
        raise BrokerUnavailable(f"the broker {place} cannot be reached: {error}") from error


def _not_served(model: str) -> ModelNotFound:
    models = sorted({model for line in present() for model in line.models})
    named = ", ".join(models[:_MOST_NAMED]) or "none of any host's own"
    more = f" and {len(models) - _MOST_NAMED} more" if len(models) > _MOST_NAMED else ""
    return ModelNotFound(
        f"no worker serves the model {model}; these are served: {named}{more}",
        hint="run `crucible worker` on a host that has it, or write an address every host reaches",
    )

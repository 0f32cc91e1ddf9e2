"""Sends tasks and asks direct questions; a dead broker or a missing worker is one clear line."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, TypeVar

from celery.exceptions import TimeoutError as NoAnswer
from kombu.exceptions import OperationalError

from crucible_infra import log, settings
from crucible_infra.errors import BrokerUnavailable, CrucibleError
from crucible_infra.patience import patiently
from crucible_tasks.broker_refusal import refusal_hint
from crucible_tasks.celery_app import app
from crucible_tasks.contract import Contract
from crucible_tasks.served import demand_served

if TYPE_CHECKING:
    from celery.canvas import Signature
    from celery.result import AsyncResult

#: seconds between looks at an in-process result; Redis tells by itself
_LOOK_SECONDS = 0.002

#: seconds the first connection of a process may take, and each answer on it: a person waits
_REACH_SECONDS = 1.2

#: waits between tries of who has nothing better to do, the last of them for ever: a restart of
#: Redis is over within a few, and a longer outage costs one line every quarter of a minute
_PATIENCE_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)

Request = TypeVar("Request")
Result = TypeVar("Result")


def send(signature: Signature) -> AsyncResult:
    """Send one task.

    Raises BrokerUnavailable, within 5 s on a process' first send, when the broker does not answer.
    """
    with _broker_named():
        _reach_broker()
        return signature.apply_async()


def send_patiently(signature: Signature) -> None:
    """Send one task, however long the broker is away: for answers that took long to find.

    Raises nothing for a broker that is away; a process that must end is killed by its supervisor.
    """
    waits = chain(_PATIENCE_SECONDS, repeat(_PATIENCE_SECONDS[-1]))
    patiently(lambda: send(signature), waits, (BrokerUnavailable,), "broker_away")


def backlog(queue: str) -> int:
    """How many messages of a queue no worker has taken yet. Raises BrokerUnavailable."""
    with _broker_named():
        _reach_broker()
        with app.pool.acquire(block=True) as connection:
            declared = connection.default_channel.queue_declare(queue)
    count: int = declared.message_count
    return count


def send_and_wait(
    contract: Contract[Request, Result], request: Request, timeout_seconds: float
) -> Result:
    """Ask a worker and wait for its answer; for contracts that keep their result.

    Raises BrokerUnavailable, ModelNotFound when no worker serves the model asked for, or
    CrucibleError when nobody answers in time or the work fails.
    """
    answer = _ask(contract, request, timeout_seconds)
    return _answer(contract, request, answer, timeout_seconds)


def send_and_wait_for_each(
    contract: Contract[Request, Result],
    requests: Iterable[Request],
    timeout_seconds: float,
    at_once: int,
) -> Iterator[Result]:
    """Ask for several things, some at once, and give the answers in order.

    Raises as `send_and_wait` does; each answer has that much time from when it is the next one.
    Whoever stops early leaves up to `at_once` answers to nobody.
    """
    waiting: deque[tuple[Request, AsyncResult]] = deque()
    for request in requests:
        # what is asked last waits for all before it
        waiting.append((request, _ask(contract, request, timeout_seconds * (at_once + 1))))
        if len(waiting) >= at_once:
            yield _answer(contract, *waiting.popleft(), timeout_seconds)
    while waiting:
        yield _answer(contract, *waiting.popleft(), timeout_seconds)


def _ask(
    contract: Contract[Request, Result], request: Request, expiry_seconds: float
) -> AsyncResult:
    queue = contract.queue_for(request)
    if queue != contract.queue:
        with _broker_named():
            _reach_broker()
        demand_served(queue, str(getattr(request, "model", queue)))
    # an answer after the time-out would be work for nobody
    return send(contract.signature(request).set(expires=expiry_seconds))


def _answer(
    contract: Contract[Request, Result],
    request: Request,
    answer: AsyncResult,
    timeout_seconds: float,
) -> Result:
    try:
        message = answer.get(timeout=timeout_seconds, interval=_LOOK_SECONDS)
    except NoAnswer as error:
        # else its destructor meets a finished interpreter
        app.backend.remove_pending_result(answer)
        raise _nobody_answered(contract.queue_for(request), timeout_seconds) from error
    except CrucibleError:
        raise
    except Exception as error:
        if _is_lost_broker(error):
            raise _broker_unavailable(error) from error
        # whatever the worker raised; Celery rebuilt it from its name and text
        problem = f"{contract.name} failed: {type(error).__name__}: {error}"
        raise CrucibleError(problem) from error
    answer.forget()
    return contract.result_of(message)


def broker_problem() -> str | None:
    """Why the broker does not answer now, in a word or two; None when it does.

    Raises BrokerUnavailable when it refused, which no waiting heals.
    """
    try:
        _connect()
    except Exception as error:
        if refusal_hint(error):
            raise _broker_unavailable(error) from error
        if _is_lost_broker(error):
            return str(error).rstrip(".")
        raise
    return None


def ask_workers(command: str, timeout_seconds: float) -> list[Any]:
    """What every worker of a cluster answers to a remote control command within this time.

    Waits all of it, because nobody knows how many workers there are. Raises BrokerUnavailable.
    """
    with _broker_named():
        _reach_broker()
        answers = app.control.broadcast(command, reply=True, timeout=timeout_seconds)
    return [answer for one in answers or () for answer in one.values()]


@contextmanager
def _broker_named() -> Iterator[None]:
    """Raise BrokerUnavailable for whatever a lost broker makes a block raise."""
    try:
        yield
    except Exception as error:
        if _is_lost_broker(error):
            raise _broker_unavailable(error) from error
        raise


@cache
def _reach_broker() -> None:
    """Connect once, impatiently: Celery's own sending waits and repeats as a worker should."""
    if not settings.current().is_embedded:
        _connect()


def _connect() -> None:
    patience = {
        **app.conf.broker_transport_options,
        "socket_timeout": _REACH_SECONDS,
        "socket_connect_timeout": _REACH_SECONDS,
    }
    with app.connection_for_write(transport_options=patience) as connection:
        connection.connect()


def _is_lost_broker(error: BaseException | None) -> bool:
    kinds = (OperationalError, *getattr(app.backend, "connection_errors", ()))
    # Celery's result store raises a RuntimeError because of the lost connection
    return isinstance(error, kinds) or (
        isinstance(error, RuntimeError) and isinstance(error.__cause__, kinds)
    )


def _broker_unavailable(error: Exception) -> BrokerUnavailable:
    place = log.redact(settings.current().broker_url)
    if hint := refusal_hint(error):
        return BrokerUnavailable(f"the broker {place} cannot be used: {error}", hint=hint)
    # Celery's own words have several lines, and want it restarted, which nothing needs
    reason = error.__cause__ if isinstance(error, RuntimeError) else error
    return BrokerUnavailable(
        f"the broker {place} cannot be reached: {reason}",
        hint="start Redis there (one that wants TLS is rediss://…), "
        "or unset CRUCIBLE_BROKER_URL to do everything in this process",
    )


def _nobody_answered(queue: str, timeout_seconds: float) -> CrucibleError:
    if settings.current().is_embedded:
        return CrucibleError(f"the {queue} worker did not answer within {timeout_seconds:g} s")
    return CrucibleError(
        f"no worker serves the queue {queue}: no answer within {timeout_seconds:g} s",
        hint="start one with `crucible worker`",
    )

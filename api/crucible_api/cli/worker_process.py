"""The process behind `crucible worker` that does one kind of work, until it is told to stop."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from contextlib import ExitStack
from types import FrameType
from typing import TYPE_CHECKING, Any

from crucible_api.cli import interruption
from crucible_api.cli.broker_wait import wait_for_broker
from crucible_api.cli.output import Voice, plural
from crucible_infra.errors import BrokerUnavailable, CrucibleError, SandboxUnavailable

if TYPE_CHECKING:
    from crucible_api.cli.worker import Duty

#: EX_UNAVAILABLE: this host cannot do it, so starting it again cannot help
CANNOT_SERVE = 69

#: a door waits for the result, and gives up after some seconds
_RESULT_TRIES = 5

#: seconds that handing tasks back may take once somebody wants it to end now
_LAST_SECONDS = 3.0


def serve(duty: Duty, member: str, voice: Voice) -> None:
    """Do this work under this name.

    Raises CrucibleError when the worker fails, SystemExit(CANNOT_SERVE) when this host, or its user
    of Redis, lacks what the work needs.
    """
    from crucible_tasks.celery_app import app
    from crucible_tasks.membership import joined
    from crucible_tasks.reconnection import settle_after

    _quieten()
    # after a silent cut, every connection of the pool for results is dead and says so once
    app.conf.update(result_backend_always_retry=True, result_backend_max_retries=_RESULT_TRIES)
    try:
        _try_sandbox(duty)
    except CrucibleError as error:
        _refuse(duty, error, voice)
    _let_a_second_signal_end_it()
    # started again while Redis is away, it has nothing to join yet
    wait_for_broker(voice)
    settle_after(app)
    with ExitStack() as stack:
        try:
            stack.enter_context(joined(member, [duty.queue]))
        except BrokerUnavailable as error:
            _refuse(duty, error, voice)
        voice.talk(f"serving the {duty.queue} queue, {plural(duty.threads, 'task')} at once")
        worker = _worker(duty, member)
        worker.start()
    if worker.exitcode:
        raise CrucibleError(f"the {duty.queue} worker ended with {worker.exitcode}")


def _worker(duty: Duty, member: str) -> Any:
    from crucible_tasks.celery_app import app
    from crucible_tasks.draining_pool import DrainingPool

    return app.Worker(
        hostname=f"{duty.queue}@{member}",
        queues=[duty.queue],
        # the work is waiting for a model or a prison, both of which release the interpreter
        pool_cls=DrainingPool,
        concurrency=duty.threads,
        # its banner would go to stdout
        quiet=True,
        # what every worker tells every other one grows with the square of their number, and
        # the roster tells more
        without_gossip=True,
        without_mingle=True,
    )


def _quieten() -> None:
    from celery.exceptions import SecurityWarning

    # Celery warns root because a pickled message could run code; ours are JSON and nothing else
    warnings.simplefilter("ignore", SecurityWarning)
    # a worker has no answer, and Celery's last words would go to stdout
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def _try_sandbox(duty: Duty) -> None:
    if duty.queue != "evaluation":
        return
    from crucible_tasks.evaluation import HOST, HostRequest

    report = HOST.here(HostRequest(is_quick=True))
    if report.problem is not None:
        raise SandboxUnavailable(report.problem, hint=report.hint)


def _refuse(duty: Duty, error: CrucibleError, voice: Voice) -> None:
    if duty.is_demanded:
        raise error
    hint = f" ({error.hint})" if error.hint else ""
    voice.warn(f"not serving the {duty.queue} queue: {error.message}{hint}")
    raise SystemExit(CANNOT_SERVE)


def _let_a_second_signal_end_it() -> None:
    from celery import signals

    # sent from Celery's own handler of the first one, which comes after ours would be installed
    signals.worker_shutting_down.connect(_expect_another, weak=False)


def _expect_another(**_: Any) -> None:
    for number in interruption.SIGNALS:
        signal.signal(number, _end_now)


def _end_now(number: int, frame: FrameType | None) -> None:
    del frame
    from crucible_tasks.draining_pool import DrainingPool

    DrainingPool.has_no_time.set()
    timer = threading.Timer(_LAST_SECONDS, os._exit, (128 + number,))
    timer.daemon = True
    timer.start()

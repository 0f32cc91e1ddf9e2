"""Workers: who does the work: those on a cluster's roster, or this process itself."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from crucible_infra.settings import Settings
from crucible_tasks import control, evaluation, fine_tuning, generation
from crucible_tasks.capability import kind_of

#: what the worker of a process without a cluster is called
EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker."""

    #: unique, and kept when it is started again after a crash
    name: str
    #: of work: generation, evaluation, fine_tune or control; "embedded" does all of them
    kind: str
    #: None for one that has fallen silent
    host: str | None
    #: where it takes tasks from
    queues: tuple[str, ...]
    #: specs of the models of its own host
    models: tuple[str, ...]
    #: False: it is on the roster, and has said nothing for half a minute
    is_present: bool


def list_workers(settings: Settings, *, trains: bool) -> tuple[Worker, ...]:
    """Those that are there, then those that are missed. Raises BrokerUnavailable.

    `trains` says whether this process would train, where it does the work.
    """
    if settings.is_embedded:
        return (_of_this_process(trains=trains),)
    # Redis is asked in a cluster alone
    from crucible_tasks import served  # noqa: PLC0415

    there = [
        Worker(line.member, kind_of(line.member), line.host, line.queues, line.models, True)
        for line in served.present()
    ]
    missed = [Worker(name, kind_of(name), None, (), (), False) for name in served.gone()]
    return (*there, *missed)


def _of_this_process(*, trains: bool) -> Worker:
    queues = (control.QUEUE, generation.QUEUE, evaluation.QUEUE)
    training = (fine_tuning.QUEUE,) if trains else ()
    return Worker(EMBEDDED, EMBEDDED, socket.gethostname(), (*queues, *training), (), True)

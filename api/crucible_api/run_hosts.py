"""Who works on a run: this machine, or those of a cluster's workers that can do some of it."""

from __future__ import annotations

from dataclasses import dataclass

from crucible_api.reports import RunSummary
from crucible_api.workers import Worker, list_workers
from crucible_infra.errors import BrokerUnavailable
from crucible_infra.settings import Settings
from crucible_tasks.evaluation import QUEUE as EVALUATION
from crucible_tasks.generation import QUEUE as GENERATION
from crucible_tasks.generation import queue_of

_SAMPLES, _JUDGES = "samples", "judges"


@dataclass(frozen=True, slots=True)
class Host:
    """One worker that can do some of a run's work."""

    worker: Worker
    #: "samples", "judges"
    duties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hosts:
    """Who can work on a run now."""

    hosts: tuple[Host, ...] = ()
    #: what keeps it from going on, or from being told
    problem: str | None = None


def hosts_of(summary: RunSummary, settings: Settings) -> Hosts:
    """Who is there for a run; in a cluster as its roster tells."""
    try:
        workers = list_workers(settings, trains=False)
    except BrokerUnavailable as error:
        return Hosts(problem=error.message)
    of_model = queue_of(summary.run.model)
    duties = {EVALUATION: _JUDGES, GENERATION: _SAMPLES, of_model: _SAMPLES}
    hosts = tuple(
        Host(one, found) for one in workers if (found := _duties(one, duties)) or not one.is_present
    )
    there = {duty for host in hosts for duty in host.duties}
    missing = [duty for duty in (_SAMPLES, _JUDGES) if duty not in there]
    if not missing or summary.progress.is_over:
        return Hosts(hosts)
    return Hosts(hosts, f"no worker {' and none '.join(missing)} now")


def _duties(worker: Worker, known: dict[str, str]) -> tuple[str, ...]:
    return tuple(sorted({known[name] for name in worker.queues if name in known}))

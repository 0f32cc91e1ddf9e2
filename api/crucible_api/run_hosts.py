"""Who works on a run: this process or another one of this machine, or a cluster's workers."""

from __future__ import annotations

from dataclasses import dataclass

from crucible_api.reports import RunSummary
from crucible_infra.settings import Settings
from crucible_tasks.evaluation import QUEUE as EVALUATION
from crucible_tasks.generation import QUEUE as GENERATION
from crucible_tasks.generation import queue_of


@dataclass(frozen=True, slots=True)
class Host:
    """One worker that can do some of a run's work."""

    host: str
    member: str
    #: "samples", "judges"
    duties: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hosts:
    """Who can work on a run now."""

    hosts: tuple[Host, ...] = ()
    #: what is to be known besides, like that nobody judges
    note: str | None = None


def hosts_of(summary: RunSummary, settings: Settings) -> Hosts:
    """Who is there for a run; in a cluster as its roster tells. Never raises."""
    if settings.is_embedded:
        return Hosts(note="one process of this machine samples and judges, and the run with it")
    # Celery and Redis take 0.3 s to import, and a laptop has neither
    from crucible_tasks import roster  # noqa: PLC0415

    try:
        lines = roster.present()
    except roster.redis_errors() as error:
        return Hosts(note=f"the roster cannot be read: {type(error).__name__}")
    wanted = {EVALUATION: "judges", GENERATION: "samples", queue_of(summary.run.model): "samples"}
    hosts = tuple(
        Host(line.host, line.member, duties)
        for line in lines
        if (duties := tuple(sorted({wanted[name] for name in line.queues if name in wanted})))
    )
    missing = [word for word in ("samples", "judges") if not any(word in h.duties for h in hosts)]
    note = f"no worker {' and none '.join(missing)} now" if missing else None
    return Hosts(hosts, None if summary.progress.is_over else note)

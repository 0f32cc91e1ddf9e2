"""Asks a cluster's workers which of their hosts are drained, and why."""

from __future__ import annotations

from dataclasses import dataclass

from crucible_infra import settings
from crucible_infra.errors import CrucibleError
from crucible_tasks.evaluation import HostCheck

#: the remote control command every worker answers; a drained one takes no tasks to be asked with
ASK_DRAINED = "crucible_drained"

#: answers are given between two messages, in milliseconds
_ANSWER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class DrainedHost:
    """A host whose verdicts cannot be trusted."""

    host: str
    #: what was expected of its sandbox, and what was seen
    reason: str


def drained_hosts(timeout_seconds: float = _ANSWER_SECONDS) -> tuple[DrainedHost, ...]:
    """The sick hosts of this cluster; none where commands do their own work.

    Waits the whole time, because nobody knows how many workers there are. Raises BrokerUnavailable.
    """
    if settings.current().is_embedded:
        return ()
    from crucible_tasks.sending import ask_workers  # noqa: PLC0415 -- Celery costs 0.2 s to import

    found = ask_workers(ASK_DRAINED, timeout_seconds)
    return tuple(DrainedHost(**one) for answer in found for one in answer)


def drained_checks() -> tuple[HostCheck, ...]:
    """One line for each drained host; none where nobody answers, which other checks say."""
    try:
        found = drained_hosts()
    except CrucibleError:
        return ()
    return tuple(
        HostCheck(
            f"host {one.host}",
            is_ok=False,
            detail=f"drained: {one.reason}; repair it, then start its worker again",
        )
        for one in found
    )

"""A cluster's broker that is away while a command follows a run: told, waited for, given up."""

from __future__ import annotations

from crucible_infra.errors import RunIncomplete
from crucible_infra.settings import current


def look(run_id: str) -> None:
    """Note whether the broker answers, where `following` tells of outages.

    Raises RunIncomplete when it has been away for CRUCIBLE_OUTAGE_SECONDS; the run goes on by
    itself when the broker is back.
    """
    if current().is_embedded:
        return
    from crucible_infra.log import redact
    from crucible_tasks.outages import OUTAGES
    from crucible_tasks.sending import broker_problem

    place, problem = redact(current().broker_url), broker_problem()
    if problem is None:
        OUTAGES.answered(place)
        return
    outage = OUTAGES.failed(place, current().outage_seconds, is_unreachable=True)
    if outage.is_hopeless:
        raise RunIncomplete(
            f"the broker {place} did not answer for {outage.patience_seconds:g} s: {problem}",
            hint=f"nothing is lost; when it is back: crucible runs follow {run_id}",
        )

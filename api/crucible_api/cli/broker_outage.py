"""A cluster's broker that is away while a command follows a run: told, waited for, given up."""

from __future__ import annotations

import time

from crucible_infra.errors import RunIncomplete
from crucible_infra.settings import current

#: the monotonic clock when each broker was first found away; `outages` would begin anew when this
#: process looks more seldom than it is patient
_began: dict[str, float] = {}


def look(run_id: str, noun: str = "runs") -> None:
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
        _began.pop(place, None)
        return
    patience = current().outage_seconds
    OUTAGES.failed(place, patience, is_unreachable=True)
    if time.monotonic() - _began.setdefault(place, time.monotonic()) >= patience:
        raise RunIncomplete(
            f"the broker {place} did not answer for {patience:g} s: {problem}",
            hint=f"nothing is lost; when it is back: crucible {noun} follow {run_id}",
        )

"""Waits for a broker that is not there yet, and says so now and then."""

from __future__ import annotations

import time

from crucible_api.cli.output import Voice
from crucible_infra.errors import BrokerUnavailable
from crucible_infra.settings import current

#: seconds between looks
_LOOK_EVERY = 0.5

#: seconds between lines about a broker that does not answer
_TELL_EVERY = 10.0


def wait_for_broker(voice: Voice) -> None:
    """Let Redis start after whoever needs it, for a while.

    Raises BrokerUnavailable when that is over. What is lost later, Celery reconnects to.
    """
    from crucible_infra.log import redact
    from crucible_tasks.sending import broker_problem

    place, seconds = redact(current().broker_url), current().outage_seconds
    until = time.strftime("%H:%M:%S", time.localtime(time.time() + seconds))
    started = time.monotonic()
    told: float | None = None
    while (problem := broker_problem()) is not None:
        now = time.monotonic()
        if told is None or now - told >= _TELL_EVERY:
            told = now
            voice.talk(f"{place} does not answer ({problem}); trying again until {until}")
        if now - started >= seconds:
            raise BrokerUnavailable(
                f"{place} did not answer for {seconds:g} s: {problem}",
                hint="start Redis there, or correct CRUCIBLE_BROKER_URL",
            )
        time.sleep(_LOOK_EVERY)

"""Patience: how long to wait for a model server, and when to ask it again."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from crucible_infra import log
from crucible_infra.errors import (
    BrokenStream,
    EmptyCompletion,
    EndpointDown,
    EndpointGone,
    EndpointUnreachable,
    ModelError,
    RateLimited,
    ServerTimeout,
)
from crucible_tasks.outages import OUTAGES, Outage

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Patience:
    """Every waiting time, in seconds, and the number of retries."""

    #: to be connected
    connect: float = 5.0
    #: for a listing or description
    metadata: float = 10.0
    #: until an answer begins; servers load a model on its first request
    first_byte: float = 600.0
    #: between two pieces of an answer
    idle: float = 120.0
    #: slowest generation worth waiting for: two tokens a second
    per_token: float = 0.5
    #: after 5xx and broken answers; a loading or busy server has until the deadline instead
    retries: int = 4
    #: a server that refuses connections is asked until its outage has lasted this long; one that
    #: answers nobody else either is then given up too
    outage: float = 60.0
    #: between two looks whether it is back, which cost nothing
    outage_cap: float = 5.0
    #: full jitter: a random share of this, doubled each time
    backoff: float = 1.0
    backoff_cap: float = 60.0
    #: a server that wants more is left alone: the controller asks again later
    retry_after_cap: float = 300.0
    #: a person waits, who sees that a server is away or broken: only one that is busy, or answers
    #: nothing, is asked again, and a few times
    is_hurried: bool = False
    #: tests wait for nothing
    sleep: Callable[[float], None] = time.sleep

    def deadline(self, tokens: int) -> float:
        """When a sample of so many tokens has taken too long, on the monotonic clock."""
        return time.monotonic() + self.first_byte + self.per_token * tokens


#: for people who wait at a prompt: one try, short times
IMPATIENT = Patience(connect=2.0, metadata=5.0, retries=0)


def persist(
    ask: Callable[[], Answer], patience: Patience, deadline: float, server: str | None = None
) -> Answer:
    """Ask, and ask again after transient errors, within the retries and before the deadline.

    The whole answer is asked for anew with the same seed; pieces are never stitched together.
    `server` names whose outage a failure belongs to. Raises the last error, or EndpointGone when
    the server has not answered anybody for as long as it is given.
    """
    failures: Counter[type[ModelError]] = Counter()
    slept = 0.0
    while True:
        try:
            answer = ask()
        except ModelError as error:
            failures[type(error)] += 1
            outage = None if server is None else _noted(server, error, patience)
            if outage is not None and (outage.is_hopeless or slept >= patience.outage):
                raise _gone(outage) from error
            seconds = _wait(error, failures, patience, outage)
            if seconds is None or time.monotonic() + seconds >= deadline:
                raise
            log.info("model_asked_again", problem=error.message, seconds=round(seconds, 1))
        else:
            if server is not None:
                OUTAGES.answered(server)
            return answer
        slept += seconds
        patience.sleep(seconds)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds a server asks to wait (RFC 9110 10.2.3, and OpenAI's milliseconds), or None."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after", "").strip()
    seconds = _number(text)
    if seconds is not None:
        return seconds
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


def _noted(server: str, error: ModelError, patience: Patience) -> Outage | None:
    """The outage this failure belongs to; None when the server answers, or just takes long."""
    if isinstance(error, ServerTimeout) or patience.retries == 0 or patience.is_hurried:
        return None
    if not isinstance(error, EndpointDown | BrokenStream):
        OUTAGES.answered(server)
        return None
    is_unreachable = isinstance(error, EndpointUnreachable)
    outage = OUTAGES.failed(server, patience.outage, is_unreachable=is_unreachable)
    if outage.began == outage.failed:
        log.warning("server_away", server=server, problem=error.message, patience=patience.outage)
    return outage


def _gone(outage: Outage) -> EndpointGone:
    how = "did not answer" if outage.is_unreachable else "failed every request"
    return EndpointGone(f"{outage.server} {how} for {outage.patience_seconds:g} s")


def _wait(
    error: ModelError,
    failures: Counter[type[ModelError]],
    patience: Patience,
    outage: Outage | None,
) -> float | None:
    """Seconds until the next try; None gives up."""
    if not error.is_transient or patience.retries == 0:
        return None
    if patience.is_hurried and not isinstance(error, RateLimited | EmptyCompletion):
        return None
    asked = error.retry_after_seconds if isinstance(error, RateLimited) else None
    if asked and (asked > patience.retry_after_cap or not patience.is_hurried):
        return asked if asked <= patience.retry_after_cap else None
    if failures[type(error)] > _allowed(error, patience):
        return None
    if asked:
        return asked
    doublings = min(failures.total() - 1, 16)
    cap = patience.backoff_cap
    if outage is not None and outage.is_unreachable:
        # a last look at the end of its time
        left = outage.patience_seconds - outage.lasted_seconds
        cap = min(patience.outage_cap, max(left, 0.0))
    return random.uniform(0.0, min(patience.backoff * 2**doublings, cap))


def _allowed(error: ModelError, patience: Patience) -> float:
    if isinstance(error, RateLimited | EndpointUnreachable) and not patience.is_hurried:
        # a model that loads for minutes is no failure; an outage has an end of its own
        return float("inf")
    if isinstance(error, EmptyCompletion):
        # the same seed gives the same nothing, unless the server hiccuped
        return 1
    return patience.retries


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    # "nan" and "inf" are numbers to Python; neither is a time to wait
    return value if 0 <= value < float("inf") else None

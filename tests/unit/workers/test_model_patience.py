from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from crucible_infra.errors import (
    EndpointDown,
    EndpointGone,
    EndpointUnreachable,
    RateLimited,
    RequestRefused,
)
from crucible_tasks.model_spec import ModelKind, ModelSpec
from crucible_tasks.outages import OUTAGES
from crucible_workers.models.openai_server import open_openai
from crucible_workers.models.patience import Patience, persist, retry_after
from model_requests import Waits, samples
from model_server import Fault, ModelServer, OpenAi, Reply, seeded

BUSY = {"error": {"message": "slow down", "type": "rate_limit"}}
LOADING = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}


def waited_after(*faults: Fault) -> list[float]:
    """Seconds waited until the sample was there, which it must be."""
    waits = Waits()
    with ModelServer(OpenAi(faults=deque(faults))) as server:
        url = f"{server.url}/v1"
        spec = ModelSpec(ModelKind.OPENAI, "coder", url)
        with closing(open_openai(spec, url, waits.patience())) as model:
            (completion,) = model.sample(samples(0))
    assert completion.text == seeded("def add(a, b):\n", 4711)
    return waits.seconds


def test_milliseconds_are_waited_for() -> None:
    assert waited_after(Reply(BUSY, 429, {"retry-after-ms": "1500"})) == [1.5]


def test_seconds_are_waited_for() -> None:
    assert waited_after(Reply(BUSY, 429, {"Retry-After": "7"})) == [7.0]


def test_a_date_is_waited_for() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=9), usegmt=True)
    (seconds,) = waited_after(Reply(BUSY, 429, {"Retry-After": date}))
    assert 5 < seconds <= 9


@pytest.mark.parametrize("text", ["", "soon", "nan", "-3", "inf"])
def test_nonsense_is_no_time_to_wait(text: str) -> None:
    assert retry_after({"retry-after": text}) is None


def test_a_date_that_has_passed_asks_for_nothing() -> None:
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert retry_after({"retry-after": "Sun, 22 Nov 2026 11:59:00 GMT"}, now) == 0
    assert retry_after({"retry-after": "Sun, 22 Nov 2026 12:00:30 -0000"}, now) == 30


def test_milliseconds_win_over_seconds() -> None:
    assert retry_after({"retry-after-ms": "20", "retry-after": "7"}) == 0.02


def test_a_loading_server_gets_more_tries_than_a_broken_one() -> None:
    assert len(waited_after(*[Reply(LOADING, 503)] * 9)) == 9


def test_waits_grow_up_to_the_cap_and_are_random() -> None:
    seconds = waited_after(*[Reply(LOADING, 503)] * 12)
    limits = [min(2.0**i, 60.0) for i in range(12)]
    assert all(0 <= second <= limit for second, limit in zip(seconds, limits, strict=True))
    assert len(set(seconds)) == 12


@pytest.mark.parametrize("status", [408, 425, 500, 502, 504])
def test_a_transient_status_is_asked_again(status: int) -> None:
    assert len(waited_after(Reply({"error": "hiccup"}, status))) == 1


def test_a_server_that_wants_minutes_is_left_alone() -> None:
    with pytest.raises(RateLimited) as caught:
        waited_after(Reply(BUSY, 429, {"Retry-After": "400"}))
    assert caught.value.retry_after_seconds == 400


def test_nothing_is_waited_for_beyond_the_deadline() -> None:
    asked = []

    def ask() -> None:
        asked.append(1)
        raise RateLimited("busy", retry_after_seconds=30)

    with pytest.raises(RateLimited):
        persist(ask, Patience(), time.monotonic() + 20)
    assert len(asked) == 1


def test_retries_are_counted_by_kind_and_bounded() -> None:
    waits = Waits()
    asked = []

    def ask() -> None:
        asked.append(1)
        raise EndpointDown

    with pytest.raises(EndpointDown):
        persist(ask, waits.patience(), time.monotonic() + 1000)
    assert len(asked) == 5


def _refusing(asked: list[float]) -> Callable[[], str]:
    def ask() -> str:
        asked.append(time.monotonic())
        raise EndpointUnreachable("no answer")

    return ask


def test_a_server_that_refuses_is_asked_until_its_time_is_over() -> None:
    waits = Waits()
    asked: list[float] = []
    with pytest.raises(EndpointGone, match=r"http://away:1 did not answer for 60 s") as caught:
        persist(_refusing(asked), waits.patience(), time.monotonic() + 1000, "http://away:1")
    assert not caught.value.is_transient
    # looked at every few seconds, and no longer than it was given
    assert 10 < len(asked) < 200
    assert 60 <= sum(waits.seconds) < 66
    OUTAGES.answered("http://away:1")


def test_who_asks_later_does_not_wait_again_for_the_same_outage() -> None:
    asked: list[float] = []
    began = time.monotonic()
    impatient = Patience(outage=0.2, outage_cap=0.05)
    for count in (2, 1):
        asked.clear()
        with pytest.raises(EndpointGone):
            persist(_refusing(asked), impatient, began + 1000, "http://away:2")
        assert len(asked) >= count
    assert len(asked) == 1
    assert time.monotonic() - began < 2
    OUTAGES.answered("http://away:2")


def test_a_server_that_fails_all_requests_for_long_is_given_up_without_retries() -> None:
    asked: list[int] = []

    def ask() -> None:
        asked.append(1)
        raise EndpointDown("500")

    patience = Patience(outage=0.0)
    with pytest.raises(EndpointGone, match="failed every request"):
        persist(ask, patience, time.monotonic() + 1000, "http://broken:1")
    assert len(asked) == 1
    OUTAGES.answered("http://broken:1")


def test_an_answer_to_anybody_ends_the_outage() -> None:
    outcomes: list[Exception | None] = [EndpointUnreachable("away"), None]

    def ask() -> str:
        failure = outcomes.pop(0)
        if failure is not None:
            raise failure
        return "there"

    patience = Waits().patience()
    assert persist(ask, patience, time.monotonic() + 1000, "http://back:1") == "there"
    assert [one for one in OUTAGES.now() if one.server == "http://back:1"] == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_what_is_our_fault_is_asked_once(status: int) -> None:
    with pytest.raises(RequestRefused):
        waited_after(Reply({"error": "no"}, status))

from __future__ import annotations

from crucible_tasks.outages import Outages

SERVER = "http://127.0.0.1:1"


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_outage_lasts_from_its_first_failure_to_its_last() -> None:
    clock = _Clock()
    outages = Outages(clock)
    for clock.now in (100.0, 130.0, 160.0):
        outage = outages.failed(SERVER, 60.0, is_unreachable=True)
        assert outage.is_hopeless is (clock.now == 160.0)
    assert outages.now() == (outage,)
    assert outage.lasted_seconds == 60.0


def test_an_answer_ends_it_and_the_next_failure_begins_another() -> None:
    clock = _Clock()
    outages = Outages(clock)
    outages.failed(SERVER, 60.0, is_unreachable=True)
    outages.answered(SERVER)
    assert outages.now() == ()
    clock.now = 170.0
    assert outages.failed(SERVER, 60.0, is_unreachable=True).lasted_seconds == 0.0


def test_a_server_nobody_asked_for_long_is_given_its_time_anew() -> None:
    clock = _Clock()
    outages = Outages(clock)
    outages.failed(SERVER, 60.0, is_unreachable=True)
    clock.now = 500.0
    assert not outages.failed(SERVER, 60.0, is_unreachable=True).is_hopeless


def test_each_server_has_outages_of_its_own() -> None:
    outages = Outages(_Clock())
    outages.failed(SERVER, 60.0, is_unreachable=True)
    outages.failed("http://127.0.0.1:2", 0.0, is_unreachable=False)
    outages.answered(SERVER)
    (left,) = outages.now()
    assert (left.server, left.is_unreachable, left.is_hopeless) == (
        "http://127.0.0.1:2",
        False,
        True,
    )

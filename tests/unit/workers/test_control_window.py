from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crucible_workers.control_window import LEAST_WAITING, MOST_UNANSWERED, room


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_the_window_has_a_bound_whatever_the_broker_says(unanswered: int, backlog: int) -> None:
    found = room(unanswered, backlog)
    assert found >= 0
    assert unanswered + found <= max(unanswered, MOST_UNANSWERED)


def test_without_workers_only_a_few_messages_wait() -> None:
    assert room(0, 0) == LEAST_WAITING
    assert room(LEAST_WAITING, LEAST_WAITING) == 0


@given(st.integers(1, 2000))
def test_there_is_room_whenever_workers_have_taken_everything(at_work: int) -> None:
    assert room(at_work, 0) >= max(LEAST_WAITING, at_work // 2)


@given(st.integers(0, 2000), st.integers(0, 2000))
def test_at_most_half_as_many_wait_as_are_at_work(at_work: int, waiting: int) -> None:
    found = room(at_work + waiting, waiting)
    assert found == 0 or waiting + found <= max(LEAST_WAITING, at_work // 2)


def test_a_thousand_idle_workers_have_work_after_a_few_looks() -> None:
    workers, taken, looks = 1000, 0, 0
    while taken < workers:
        taken, looks = min(workers, taken + room(taken, 0)), looks + 1
    assert looks <= 14


def test_another_servers_messages_do_not_close_the_window() -> None:
    assert room(0, 500) == LEAST_WAITING

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crucible_workers.control_schedule import TURN_SECONDS, Contender, share_out


def _contender(run_id: str, **changes: Any) -> Contender:
    """A run that waits, of a group of its own."""
    plain = Contender(run_id, run_id, 0, "", is_waiting=True, unanswered=0, was_heard=True)
    return replace(plain, **changes)


def _granted(*contenders: Contender, room: int, now: float = 0.0) -> dict[str, int]:
    return {one.run_id: one.messages for one in share_out(contenders, room, now)}


CONTENDERS = st.lists(
    st.builds(
        _contender,
        st.uuids().map(str),
        group=st.sampled_from(["a", "b", "c", "d"]),
        priority=st.integers(-2, 2),
        model=st.sampled_from(["x", "y", "z"]),
        unanswered=st.integers(0, 20),
        is_waiting=st.booleans(),
        was_heard=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda one: one.run_id,
)


@given(CONTENDERS, st.integers(0, 50), st.floats(0, 1e9))
def test_no_room_is_left_while_anybody_waits(
    contenders: list[Contender], room: int, now: float
) -> None:
    total = sum(grant.messages for grant in share_out(contenders, room, now))
    newcomers = {one.group for one in contenders if one.is_waiting and not one.was_heard}
    if any(one.is_waiting for one in contenders):
        assert room <= total <= max(room, len(newcomers))
    else:
        assert total == 0


@given(CONTENDERS, st.integers(0, 50), st.floats(0, 1e9))
def test_only_who_waits_and_has_the_highest_priority_is_granted_anything(
    contenders: list[Contender], room: int, now: float
) -> None:
    waiting = {one.run_id: one for one in contenders if one.is_waiting}
    highest = max((one.priority for one in waiting.values()), default=0)
    grants = share_out(contenders, room, now)
    assert all(waiting[grant.run_id].priority == highest for grant in grants)
    assert all(grant.messages > 0 for grant in grants)


@given(CONTENDERS, st.integers(0, 50), st.floats(0, 1e9))
def test_one_state_has_one_answer(contenders: list[Contender], room: int, now: float) -> None:
    assert share_out(contenders, room, now) == share_out(list(contenders), room, now)


@given(CONTENDERS, st.integers(1, 50), st.floats(0, 1e9))
def test_equals_come_to_equal_shares(contenders: list[Contender], room: int, now: float) -> None:
    alike = [replace(one, priority=0, model="", was_heard=True) for one in contenders]
    granted: Counter[str] = Counter()
    held: Counter[str] = Counter()
    groups = {one.run_id: one.group for one in alike}
    for one in alike:
        held[one.group] += one.unanswered
    for grant in share_out(alike, room, now):
        granted[groups[grant.run_id]] += grant.messages
    waiting = {one.group for one in alike if one.is_waiting}
    for lucky in granted:
        # nobody who waits has less than one who was given something, but for the odd message
        assert all(held[lucky] + granted[lucky] <= held[one] + granted[one] + 1 for one in waiting)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), min_size=1, max_size=6),
    st.integers(1, 4),
    st.integers(0, 10**6),
)
def test_no_group_of_equals_starves(runs: list[tuple[str, str]], room: int, began: int) -> None:
    contenders = [
        _contender(str(position), group=group, model=model)
        for position, (group, model) in enumerate(runs)
    ]
    groups = {one.run_id: one.group for one in contenders}
    turns = {one.group for one in contenders}
    served: set[str] = set()
    for turn in range(len(turns)):
        grants = share_out(contenders, room, (began + turn) * TURN_SECONDS)
        # everything is answered at once
        served |= {groups[grant.run_id] for grant in grants}
    assert served == turns or room < len(turns)


def test_a_newcomer_starts_though_the_window_is_full() -> None:
    sweep = _contender("big", unanswered=4096, model="x")
    small = _contender("small", was_heard=False, model="y")
    assert _granted(sweep, small, room=0) == {"small": 1}
    # one, and no second before it is answered
    assert _granted(sweep, replace(small, unanswered=1), room=0) == {}


def test_a_newcomer_of_lower_priority_waits() -> None:
    urgent = _contender("urgent", priority=5)
    assert _granted(urgent, _contender("new", was_heard=False), room=2) == {"urgent": 2}


def test_what_one_group_does_not_need_the_others_get() -> None:
    idle = _contender("idle", is_waiting=False)
    assert _granted(idle, _contender("busy", unanswered=9), room=3) == {"busy": 3}


def test_a_sweep_finishes_its_oldest_run_first() -> None:
    first, second = (_contender(name, group="sweep", model=name) for name in ("one", "two"))
    for minute in range(5):
        assert _granted(first, second, room=3, now=minute * TURN_SECONDS) == {"one": 3}


def test_models_of_two_groups_take_turns_of_a_minute() -> None:
    one, two = _contender("one", model="x"), _contender("two", model="y", unanswered=7)
    whose = [
        next(iter(_granted(one, two, room=2, now=moment))) for moment in (0.0, 59.9, 60.0, 119.0)
    ]
    assert whose == ["one", "one", "two", "two"]
    # the turn of one that has nothing to send is no pause
    assert _granted(replace(one, is_waiting=False), two, room=2) == {"two": 2}


def test_who_wants_the_same_model_shares_the_turn() -> None:
    one, two, three = (_contender(name, model="xyx"[place]) for place, name in enumerate("abc"))
    assert _granted(one, two, three, room=4) == {"a": 2, "c": 2}


def test_who_has_nothing_under_way_goes_before_what_waits() -> None:
    big = _contender("big", unanswered=2)
    new = _contender("new")
    first = _contender("first", group="sweep")
    # the big one has its share already, and the sweep's oldest run goes first
    granted = {one.run_id: one.goes_ahead for one in share_out([big, new, first], 9, 0.0)}
    assert granted == {"big": False, "new": True, "first": True}


def test_only_one_message_of_a_group_goes_ahead() -> None:
    first, second = (_contender(name, group="sweep") for name in ("first", "second"))
    newcomer = replace(second, was_heard=False)
    grants = share_out([first, newcomer, _contender("other", group="sweep")], 4, 0.0)
    assert sum(one.goes_ahead for one in grants) == 1

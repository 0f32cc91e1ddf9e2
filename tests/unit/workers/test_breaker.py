"""A circuit opens after three failures, rests, and lets one request try."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from crucible_workers.models.breaker import FAILURES, FIRST_REST, LONGEST_REST, Breakers


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def opened() -> tuple[Breakers, Clock]:
    clock = Clock()
    breakers = Breakers(clock)
    for _ in range(FAILURES):
        assert breakers.may_ask("m")
        breakers.failed("m")
    return breakers, clock


def test_nobody_asks_for_a_while_after_three_failures_and_then_one_does() -> None:
    breakers, clock = opened()
    assert not breakers.may_ask("m")
    assert breakers.may_ask("other")
    clock.now += FIRST_REST
    assert [breakers.may_ask("m") for _ in range(3)] == [True, False, False]
    breakers.answered("m")
    assert breakers.may_ask("m")


def test_every_failed_try_doubles_the_rest_up_to_a_limit() -> None:
    breakers, clock = opened()
    rest = FIRST_REST
    for _ in range(6):
        clock.now += rest - 0.1
        assert not breakers.may_ask("m")
        clock.now += 0.1
        assert breakers.may_ask("m")
        breakers.failed("m")
        rest = min(2 * rest, LONGEST_REST)
    assert rest == LONGEST_REST


def test_failures_of_those_who_asked_before_it_opened_are_no_news() -> None:
    breakers, clock = opened()
    for _ in range(5):
        breakers.failed("m")
    clock.now += FIRST_REST
    assert breakers.may_ask("m")


def test_a_try_nobody_tells_the_end_of_does_not_close_the_door_for_ever() -> None:
    breakers, clock = opened()
    clock.now += FIRST_REST
    assert breakers.may_ask("m")
    clock.now += FIRST_REST
    assert breakers.may_ask("m")


def test_an_answer_in_between_begins_the_count_anew() -> None:
    breakers = Breakers(Clock())
    for _ in range(4):
        breakers.failed("m")
        breakers.failed("m")
        breakers.answered("m")
        assert breakers.may_ask("m")


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens, a model is asked again within the longest rest."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breakers = Breakers(self.clock)
        self.refused_since: float | None = None

    @rule()
    def fail(self) -> None:
        self.breakers.failed("m")

    @rule()
    def answer(self) -> None:
        self.breakers.answered("m")
        self.refused_since = None

    @rule(seconds=st.floats(0, 2 * LONGEST_REST))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def ask(self) -> None:
        if self.breakers.may_ask("m"):
            self.refused_since = None
        elif self.refused_since is None:
            self.refused_since = self.clock.now

    @invariant()
    def nobody_is_refused_for_longer_than_the_longest_rest(self) -> None:
        if self.refused_since is None or self.clock.now - self.refused_since < LONGEST_REST:
            return
        assert self.breakers.may_ask("m")
        self.refused_since = None


AnyOrder.TestCase.settings = settings(max_examples=20, stateful_step_count=15)
TestAnyOrder = AnyOrder.TestCase

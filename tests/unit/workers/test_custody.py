"""Custody: what canaries do not vouch for is never sent, and what they vouch for soon is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from crucible_infra.errors import BrokerUnavailable, HostSick
from crucible_tasks.challenge import Challenge, Language, Limits, ScriptTests
from crucible_tasks.evaluation import Evaluation, Judgement
from crucible_tasks.verdict import Outcome, Verdict
from crucible_workers.canaries import FLOCKS, Complaint, Engine
from crucible_workers.custody import Custody, Pace
from crucible_workers.sandbox import Sandbox
from crucible_workers.sandbox.slots import SlotSandbox
from sandbox_probes import opened
from sick_sandboxes import Failing, Forging, SickSandbox

CALLS = FLOCKS[Engine.PYTHON_CALLS]
PROBE = Challenge("probe/0", Language.PYTHON, "", "f", ScriptTests("assert f(1) == 2"))
RIGHT, WRONG = "def f(x): return x + 1", "def f(x): return x"
CANARIES = {canary.program for canary in (CALLS.gold, *CALLS.wrong, CALLS.endless)}

#: soon, but so that a test can see that something waits
QUICK = Pace(period=0.2, idle=0.02, credit=1e9)

#: never by itself
PATIENT = Pace(period=1e9, idle=1e9)


@dataclass
class Office:
    """A custody, what it sent, and what it complained of."""

    custody: Custody
    sent: list[Evaluation]
    complaints: list[Complaint]

    def judge(self, name: str, *programs: str) -> list[Outcome]:
        """One request, from the first program to the keeping."""
        doubts = self.custody.doubts
        verdicts = list(self.custody.judge(PROBE, programs, None))
        kept = tuple(Judgement(n, one, "verbatim", None) for n, one in enumerate(verdicts))
        self.custody.keep(Evaluation("run", name, "grader", kept, attempt=0), doubts)
        return [one.outcome for one in verdicts]

    def wait_for(self, count: int) -> list[Evaluation]:
        deadline = time.monotonic() + 20
        while len(self.sent) < count and time.monotonic() < deadline:
            time.sleep(0.005)
        assert len(self.sent) == count
        return self.sent


Opens = Callable[..., Office]


@pytest.fixture
def office() -> Iterator[Opens]:
    """Opens offices; at the end nothing is left in their custody."""
    opened_ones: list[Office] = []

    def open_one(sandbox: Sandbox, pace: Pace = QUICK, slots: int = 2) -> Office:
        sent: list[Evaluation] = []
        complaints: list[Complaint] = []
        custody = Custody(sandbox, slots, sent.append, complaints.append, pace)
        opened_ones.append(Office(custody, sent, complaints))
        return opened_ones[-1]

    yield open_one
    for one in opened_ones:
        # a checkup that goes on would open the prisons of a closed sandbox
        assert one.custody.flush(20)


@pytest.fixture(scope="module")
def real() -> Iterator[SlotSandbox]:
    with opened("process", slots=2) as sandbox:
        yield sandbox


def test_verdicts_are_sent_whole_after_canaries_in_every_slot(
    office: Opens, real: SlotSandbox
) -> None:
    watched = SickSandbox(real, healthy=10**9)
    desk = office(watched)

    assert desk.judge("a", RIGHT, WRONG) == [Outcome.PASSED, Outcome.FAILED]
    (found,) = desk.wait_for(1)
    assert [one.verdict.outcome for one in found.judgements] == [Outcome.PASSED, Outcome.FAILED]
    assert found.failure is None
    assert watched.asked[:2] == [RIGHT, WRONG]
    assert [program in CANARIES for program in watched.asked[2:]] == [True] * 4
    assert watched.asked.count(CALLS.gold.program) == 2


def test_nothing_is_sent_before_a_checkup_and_a_flush_is_one(
    office: Opens, real: SlotSandbox
) -> None:
    desk = office(real, PATIENT)
    desk.judge("a", RIGHT)
    time.sleep(0.1)

    assert desk.sent == []
    assert desk.custody.flush(20)
    assert len(desk.sent) == 1


def test_an_idle_host_sends_before_the_period_is_over(office: Opens, real: SlotSandbox) -> None:
    desk = office(real, Pace(period=1e9, idle=0.02))
    desk.judge("a", RIGHT)

    desk.wait_for(1)


def test_an_idle_host_whose_canaries_were_dear_waits_no_longer_than_the_period(
    office: Opens, real: SlotSandbox
) -> None:
    desk = office(real, Pace(period=0.2, idle=0.02, share=1e-9, credit=0.0, dearest=1e9))
    for count in (1, 2, 3):
        desk.judge("a", RIGHT)
        desk.wait_for(count)


@pytest.mark.parametrize("kind", [Forging, Failing])
def test_a_sick_host_voids_what_it_found_and_refuses_the_rest(
    office: Opens, real: SlotSandbox, kind: type[SickSandbox]
) -> None:
    desk = office(kind(real, healthy=3))
    desk.judge("healthy and doubtful", RIGHT, RIGHT, WRONG, WRONG)
    (found,) = desk.wait_for(1)

    assert found.judgements == ()
    assert (found.failure or "").startswith("this host is sick: canary 'python calls, ")
    assert len(desk.complaints) == 1
    with pytest.raises(HostSick, match="must be"):
        desk.judge("later", RIGHT)
    desk.custody.keep(Evaluation("run", "late", "grader", ()), desk.custody.doubts)
    assert desk.wait_for(2)[1].failure == found.failure


def test_what_waits_for_the_canaries_happens_once_they_have_held(
    office: Opens, real: SlotSandbox
) -> None:
    desk = office(Forging(real, healthy=5), PATIENT)
    sure: list[str] = []
    for name in ("held", "void"):
        doubts = desk.custody.doubts
        list(desk.custody.judge(PROBE, [RIGHT], None))
        desk.custody.keep(
            Evaluation("run", name, "grader", ()), doubts, lambda name=name: sure.append(name)
        )
        assert sure == (["held"] if name == "void" else [])
        assert desk.custody.flush(20)
        # a flush waits for what is sent, not for what follows it
        assert _soon(lambda: sure == ["held"])

    assert [one.failure is None for one in desk.sent] == [True, False]


def test_what_was_sent_before_the_sickness_stays_sent(office: Opens, real: SlotSandbox) -> None:
    # one program and two pairs of canaries are healthy, and nothing after them
    desk = office(Forging(real, healthy=5))
    desk.judge("a", RIGHT)
    assert desk.wait_for(1)[0].failure is None
    desk.judge("b", WRONG)

    assert desk.wait_for(2)[1].judgements == ()
    assert desk.complaints[0].canary in (*CALLS.wrong, CALLS.gold)


def test_one_wrong_verdict_voids_and_does_not_drain(office: Opens, real: SlotSandbox) -> None:
    desk = office(Failing(real, healthy=2, ill=1), slots=1)
    began = desk.custody.doubts
    # the second canary, which is right, is said to fail, and passes when it is alone
    desk.judge("a", RIGHT)
    (found,) = desk.wait_for(1)

    assert (found.judgements, desk.complaints) == ((), [])
    assert "voided" in (found.failure or "")
    desk.judge("b", RIGHT)
    assert desk.wait_for(2)[1].failure is None
    # what was begun before the doubt is as doubtful, however late it comes
    desk.custody.keep(Evaluation("run", "c", "grader", ()), began)
    assert "voided" in (desk.wait_for(3)[2].failure or "")


def test_canaries_come_among_the_programs_of_a_long_request(
    office: Opens, real: SlotSandbox
) -> None:
    watched = SickSandbox(real, healthy=10**9)
    desk = office(watched, Pace(period=0.05, idle=1e9, share=1.0, turn=0.05))
    desk.judge("short", RIGHT)
    desk.judge("long", *[RIGHT] * 100)
    desk.custody.flush(20)

    among = [program in CANARIES for program in watched.asked]
    first, last = among.index(True), len(among) - among[::-1].index(False) - 1
    assert 0 < first < last
    assert desk.sent[0].task_id == "short"
    assert watched.asked.count(RIGHT) == 101


def test_a_doubted_canary_is_judged_while_nothing_else_is(office: Opens, real: SlotSandbox) -> None:
    sandbox = _Counting(real, healthy=2, ill=10**9)
    desk = office(sandbox, Pace(period=0.05, idle=1e9), slots=2)
    threads = [
        threading.Thread(target=_judge_until_sick, args=(desk, str(number))) for number in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert desk.complaints
    assert sandbox.beside_the_last_canary == 0


def test_a_broker_that_is_away_loses_nothing(office: Opens, real: SlotSandbox) -> None:
    desk = office(real)
    failures = [BrokerUnavailable("away"), BrokerUnavailable("away")]

    def send(evaluation: Evaluation) -> None:
        if failures:
            raise failures.pop()
        desk.sent.append(evaluation)

    desk.custody._send = send
    desk.judge("a", RIGHT)
    desk.judge("b", WRONG)

    assert [one.task_id for one in desk.wait_for(2)] == ["a", "b"]


def test_canaries_take_no_more_than_their_share_of_a_busy_host(
    office: Opens, real: SlotSandbox
) -> None:
    watched = SickSandbox(real, healthy=10**9)
    desk = office(watched, Pace(period=0.0, idle=1e9, share=0.05, dearest=1e9), slots=1)
    until = time.monotonic() + 3
    while time.monotonic() < until:
        desk.judge("a", *[RIGHT] * 5)
    programs = [program for program in watched.asked if program in CANARIES]

    # each pair costs about as much as two or three programs; without the limit it is every second
    assert 0 < len(programs) < 0.15 * len(watched.asked)


def test_an_endless_program_is_judged_now_and_then(office: Opens, real: SlotSandbox) -> None:
    watched = SickSandbox(real, healthy=10**9)
    desk = office(watched, Pace(period=0.1, idle=0.01, share=1.0, endless=0.3))
    until = time.monotonic() + 2
    while time.monotonic() < until:
        desk.judge("a", RIGHT)

    assert 2 <= watched.asked.count(CALLS.endless.program) <= 7


def test_the_thread_ends_when_nothing_waits(office: Opens, real: SlotSandbox) -> None:
    desk = office(real)
    desk.judge("a", RIGHT)
    desk.wait_for(1)
    deadline = time.monotonic() + 5
    while desk.custody._watcher is not None and time.monotonic() < deadline:
        time.sleep(0.005)

    assert desk.custody._watcher is None


class _Counting(Failing):
    """Knows how many programs that are no canaries were judged beside the last canary."""

    beside_the_last_canary = -1

    def __init__(self, inside: Sandbox, healthy: int, ill: int) -> None:
        super().__init__(inside, healthy, ill)
        self._now = 0

    def _sickly(self, challenge: Challenge, program: str, limits: Limits | None) -> Verdict:
        if program in CANARIES:
            self.beside_the_last_canary = self._now
            return super()._sickly(challenge, program, limits)
        with self._counted():
            return self._truly(challenge, program, limits)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._now += 1
        try:
            yield
        finally:
            with self._lock:
                self._now -= 1


def _soon(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.005)
    return holds()


def _judge_until_sick(desk: Office, name: str) -> None:
    try:
        for _ in range(1000):
            desk.judge(name, *[RIGHT] * 5)
    except HostSick:
        return

"""Canaries: healthy sandboxes keep every promise, and each kind of sickness breaks one."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator

import pytest

from crucible_infra.errors import SandboxUnavailable, UnsupportedLanguage
from crucible_tasks.challenge import Challenge, Language, ScriptTests, StdioTests
from crucible_tasks.verdict import Outcome, Verdict
from crucible_workers.canaries import (
    FLOCKS,
    Canary,
    Complaint,
    Engine,
    Flock,
    engine_of,
    find_complaint,
)
from crucible_workers.sandbox.slots import SlotSandbox
from sandbox_probes import BACKENDS, opened
from sick_sandboxes import Dead, Failing, Forging, Late, Limitless, Overloaded, SickSandbox

CALLS = FLOCKS[Engine.PYTHON_CALLS]

EVERY_CANARY = [
    pytest.param(canary, id=canary.name)
    for flock in FLOCKS.values()
    for canary in (flock.gold, *flock.wrong, flock.endless)
]


@pytest.fixture(scope="module", params=BACKENDS)
def sandbox(request: pytest.FixtureRequest) -> Iterator[SlotSandbox]:
    with opened(request.param) as found:
        yield found


@pytest.mark.parametrize("canary", EVERY_CANARY)
def test_a_healthy_sandbox_gives_no_cause_for_complaint(
    sandbox: SlotSandbox, canary: Canary
) -> None:
    _demand(sandbox, canary.challenge.language)

    assert find_complaint(sandbox, [canary]) is None


@pytest.mark.parametrize("flock", FLOCKS.values(), ids=list(FLOCKS))
def test_a_pair_is_judged_in_one_go(sandbox: SlotSandbox, flock: Flock) -> None:
    _demand(sandbox, flock.gold.challenge.language)

    assert [find_complaint(sandbox, flock.pair(number)) for number in range(3)] == [None] * 3
    assert {flock.pair(number)[0] for number in range(3)} == set(flock.wrong)


@pytest.mark.parametrize("flock", FLOCKS.values(), ids=list(FLOCKS))
@pytest.mark.parametrize(
    ("sick", "seen"),
    [
        (Forging, "passed"),
        (Failing, "error (ill)"),
        (Late, "passed"),
        (Dead, "not judged (a prison died while judging)"),
    ],
)
@pytest.mark.parametrize("number", range(3))
def test_every_pair_finds_every_sickness(
    sandbox: SlotSandbox, flock: Flock, sick: type[SickSandbox], seen: str, number: int
) -> None:
    _demand(sandbox, flock.gold.challenge.language)
    complaint = find_complaint(sick(sandbox), flock.pair(number))

    _demand_complaint(complaint, seen)


@pytest.mark.parametrize("flock", FLOCKS.values(), ids=list(FLOCKS))
def test_an_overloaded_host_is_found(sandbox: SlotSandbox, flock: Flock) -> None:
    """By one pair: each waits for twenty seconds, as the real sandbox does."""
    _demand(sandbox, flock.gold.challenge.language)

    _demand_complaint(find_complaint(Overloaded(sandbox), flock.pair(0)), "timed_out")


def _demand_complaint(complaint: Complaint | None, seen: str) -> None:
    assert complaint is not None
    assert complaint.seen.startswith(seen)
    assert complaint.canary.name in str(complaint)


def test_a_stopped_clock_is_found_by_the_endless_program(sandbox: SlotSandbox) -> None:
    complaint = find_complaint(Limitless(sandbox), [CALLS.endless])

    assert str(complaint) == (
        "canary 'python calls, endless' was timed_out after 0.00 s of CPU time, "
        "must be timed_out after 0.1 s"
    )


def test_a_pass_beyond_the_limit_is_no_pass() -> None:
    assert CALLS.gold.objection(Verdict(Outcome.PASSED, cpu_seconds=0.01)) is None
    assert CALLS.gold.objection(Verdict(Outcome.PASSED, cpu_seconds=1.0)) is not None


def test_a_busy_neighbour_on_every_core_is_no_sickness(sandbox: SlotSandbox) -> None:
    spawn = multiprocessing.get_context("spawn")
    neighbours = [spawn.Process(target=_burn, daemon=True) for _ in range(4 * os.cpu_count())]  # type: ignore[operator]
    for neighbour in neighbours:
        neighbour.start()
    try:
        canaries = (CALLS.gold, *CALLS.wrong, CALLS.endless)
        found = [find_complaint(sandbox, [canary]) for canary in canaries]
    finally:
        for neighbour in neighbours:
            neighbour.kill()
            neighbour.join()

    assert found == [None] * len(canaries)


def test_each_engine_has_canaries_of_its_own_and_unknown_ones_have_none() -> None:
    script, stdio = ScriptTests("assert f()"), StdioTests(())

    assert engine_of(Challenge("a", Language.PYTHON, "", "f", script)) is Engine.PYTHON_CALLS
    assert engine_of(Challenge("a", Language.PYTHON, "", None, stdio)) is Engine.PYTHON_PROGRAMS
    node = Challenge("a", Language.JAVASCRIPT, "", "f", script)
    assert engine_of(node) is Engine.JAVASCRIPT_CALLS
    assert engine_of(Challenge("a", Language.OTHER, "", "f", script)) is None
    for engine, flock in FLOCKS.items():
        canaries = (flock.gold, *flock.wrong, flock.endless)
        assert {engine_of(canary.challenge) for canary in canaries} == {engine}


def _demand(sandbox: SlotSandbox, language: Language) -> None:
    """Skip where this host has no engine for a language that is not Python."""
    if language is Language.PYTHON:
        return
    challenge = Challenge("probe", language, "", "f", ScriptTests("if (f() !== 1) throw 1;"))
    try:
        next(sandbox.judge(challenge, ["function f() { return 1; }"]))
    except (UnsupportedLanguage, SandboxUnavailable) as error:
        pytest.skip(str(error))


def _burn() -> None:
    while True:
        pass

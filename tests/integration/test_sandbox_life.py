"""Prisons die, programs sleep, threads ask at once: the next verdict is right, nothing is left."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crucible_infra.errors import InvalidInput, UnsupportedLanguage, UnusableTests
from crucible_tasks.challenge import Language, Limits, OracleTests, StdioCase, StdioTests
from crucible_tasks.verdict import Mode, Outcome
from crucible_workers.sandbox import open_sandbox
from crucible_workers.sandbox.guard import WallGuard
from crucible_workers.sandbox.slots import SlotSandbox
from sandbox_probes import BACKENDS, SHORT_GUARD, challenge_of, descendants, judge, opened

DOUBLE = "def double(x): return 2 * x"
TEST = "assert double(21) == 42"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SlotSandbox]:
    with opened("namespaces", slots=2) as opened_sandbox:
        yield opened_sandbox


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("victim", [0, 1])
def test_after_a_killed_prison_the_next_verdict_is_right(backend: str, victim: int) -> None:
    before = descendants(os.getpid())
    with opened(backend) as sandbox:
        prisons = sorted(descendants(os.getpid()) - before)
        # the outer processes come first, in the order of opening
        ours = [number for number in prisons if _parent(number) == os.getpid()]
        os.kill(ours[victim], signal.SIGKILL)

        assert judge(sandbox, DOUBLE, TEST).outcome is Outcome.PASSED
        assert judge(sandbox, "def double(x): return x", TEST).outcome is Outcome.FAILED


def test_what_keeps_killing_its_prison_is_forbidden() -> None:
    killer = "import os\nos.kill(os.getppid(), 9)\nimport time\ntime.sleep(60)"
    with opened("process") as sandbox:
        verdict = judge(sandbox, killer, TEST)

        assert verdict.outcome is Outcome.FORBIDDEN
        assert judge(sandbox, DOUBLE, TEST).outcome is Outcome.PASSED


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_sleeper_meets_the_guard_twice_and_the_next_program_is_fine(backend: str) -> None:
    with opened(backend, guard=SHORT_GUARD) as sandbox:
        started = time.monotonic()
        verdict = judge(sandbox, "import time\ntime.sleep(600)", TEST)

        assert verdict.outcome is Outcome.TIMED_OUT
        # judged again alone before it counts
        assert 2 * SHORT_GUARD.least_seconds <= time.monotonic() - started < 3
        assert judge(sandbox, DOUBLE, TEST).outcome is Outcome.PASSED


def test_a_sleeping_whole_program_timed_out() -> None:
    with opened("namespaces", guard=SHORT_GUARD) as sandbox:
        verdict = judge(sandbox, "import time\ntime.sleep(600)", _stdio(("", "")))

    assert verdict.outcome is Outcome.TIMED_OUT


def test_a_test_that_waits_for_ever_holds_nobody_up() -> None:
    with opened("namespaces", guard=SHORT_GUARD) as sandbox:
        stuck = "double(1)\nwhile True: pass"
        assert judge(sandbox, DOUBLE, stuck).outcome is Outcome.TIMED_OUT
        assert judge(sandbox, DOUBLE, TEST).outcome is Outcome.PASSED


def test_a_test_that_waits_for_ever_is_ended() -> None:
    challenge = challenge_of("double(1)\nif double(1) == 3:\n    while True: pass")
    with opened("namespaces", guard=SHORT_GUARD) as sandbox:
        assert next(sandbox.judge(challenge, [DOUBLE])).outcome is Outcome.PASSED
        before = len(descendants(os.getpid()))
        stuck = "def double(x): return 3"
        assert next(sandbox.judge(challenge, [stuck])).outcome is Outcome.TIMED_OUT
        assert next(sandbox.judge(challenge, [DOUBLE])).outcome is Outcome.PASSED

        # the child that waits for the next program may be there or just about to be
        assert _settled(before) <= before


def test_the_guard_is_far_beyond_the_cpu_limit() -> None:
    assert WallGuard().seconds(Limits(cpu_seconds=3)) == 30
    assert WallGuard().seconds(Limits(cpu_seconds=0.1)) == 20


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_is_left_of_three_hundred_programs(backend: str) -> None:
    mounts = Path("/proc/self/mountinfo")
    families = descendants(os.getpid())
    with opened(backend) as sandbox:
        programs = [f"{DOUBLE}\n# {number}" for number in range(300)]
        challenge = challenge_of(TEST)
        assert next(sandbox.judge(challenge, programs[:1])).outcome is Outcome.PASSED
        processes = len(descendants(os.getpid()))
        before = (_open_files(), mounts.read_text())

        outcomes = {verdict.outcome for verdict in sandbox.judge(challenge, programs)}
        after = (_open_files(), mounts.read_text())

        assert outcomes == {Outcome.PASSED}
        # the child that waits for the next program may not have been there yet
        assert _settled(processes) <= processes + 1
        assert after == before
    assert descendants(os.getpid()) <= families


def test_numpy_is_there_before_the_programs_of_who_needs_it() -> None:
    program = "import sys\ndef loaded(): return 'numpy' in sys.modules"
    with opened("namespaces") as sandbox:
        assert judge(sandbox, program, "assert not loaded()").outcome is Outcome.PASSED
        tests = "import numpy\nassert loaded()"
        assert judge(sandbox, program, tests).outcome is Outcome.PASSED


def test_threads_share_the_slots(sandbox: SlotSandbox) -> None:
    found: dict[int, list[Outcome]] = {}

    def ask(number: int) -> None:
        challenge = challenge_of(f"assert double({number}) == {2 * number}")
        programs = [DOUBLE, "def double(x): return None"] * 5
        found[number] = [verdict.outcome for verdict in sandbox.judge(challenge, programs)]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == dict.fromkeys(range(6), [Outcome.PASSED, Outcome.FAILED] * 5)


def test_an_abandoned_question_gives_its_slot_back() -> None:
    with opened("namespaces") as sandbox:
        for _ in range(3):
            waiting = sandbox.judge(challenge_of(TEST), [DOUBLE, DOUBLE])
            next(waiting)
            waiting.close()

        assert judge(sandbox, DOUBLE, TEST).outcome is Outcome.PASSED


def test_no_secret_of_the_worker_reaches_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    program = "import os\ndef look(): return dict(os.environ)"
    with opened("namespaces") as sandbox:
        assert judge(sandbox, program, "assert 'sk-secret' not in look().values()").outcome == (
            Outcome.PASSED
        )


def test_a_local_service_of_the_host_is_out_of_reach(sandbox: SlotSandbox) -> None:
    import socket

    abstract = f"\0crucible-test-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(abstract)
        local.listen()
        program = (
            "import socket\ndef reach(family, place):\n"
            "    try: socket.socket(family).connect(place)\n"
            "    except OSError: return False\n    return True"
        )
        port = server.getsockname()[1]
        test = f"assert not reach(2, ('127.0.0.1', {port}))\nassert not reach(1, {abstract!r})"
        assert judge(sandbox, program, test).outcome is Outcome.PASSED


def test_tests_that_need_a_class_run_beside_the_program_and_say_so(sandbox: SlotSandbox) -> None:
    program = "class Shape:\n    def area(self): return 1"
    shared = judge(sandbox, program, "class Square(Shape): pass\nassert Square().area() == 1")
    split = judge(sandbox, program, "assert Shape().area() == 1")
    wrong = judge(sandbox, program, "class Square(Shape): pass\nassert Square().area() == 2")

    assert (shared.outcome, shared.mode) == (Outcome.PASSED, Mode.SHARED)
    assert (split.outcome, split.mode) == (Outcome.PASSED, Mode.SPLIT)
    assert (wrong.outcome, wrong.mode) == (Outcome.FAILED, Mode.SHARED)


@pytest.mark.parametrize(
    ("tests", "entry_point"),
    [("this is no python", None), (OracleTests("1 / 0", "[[1]]"), "f"), ("assert (", None)],
)
def test_tests_that_cannot_be_loaded_are_the_dataset_s_fault(
    sandbox: SlotSandbox, tests: str | OracleTests, entry_point: str | None
) -> None:
    with pytest.raises(UnusableTests, match="the tests of probe"):
        judge(sandbox, DOUBLE, tests, entry_point=entry_point)
    assert judge(sandbox, DOUBLE, TEST).outcome is Outcome.PASSED


def test_another_language_is_an_error_not_a_verdict(sandbox: SlotSandbox) -> None:
    with pytest.raises(UnsupportedLanguage):
        judge(sandbox, DOUBLE, TEST, language=Language.OTHER)


def test_an_unknown_backend_names_the_known_ones() -> None:
    with pytest.raises(InvalidInput) as caught:
        open_sandbox("docker", 1)

    assert all(backend in (caught.value.hint or "") for backend in BACKENDS)


def _stdio(*cases: tuple[str, str]) -> StdioTests:
    return StdioTests(tuple(StdioCase(*case) for case in cases))


def _parent(number: int) -> int:
    return int(Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1])


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _settled(count: int) -> int:
    """Processes below us, once those that are just ending have ended."""
    deadline = time.monotonic() + 2
    while (found := len(descendants(os.getpid()))) > count and time.monotonic() < deadline:
        time.sleep(0.01)
    return found

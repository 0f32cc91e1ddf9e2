"""The verdict cache: what every judging would find is found once, and nothing else is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crucible_infra import settings
from crucible_infra.artifacts import open_store
from crucible_tasks.challenge import Challenge, Language, Limits, ScriptTests
from crucible_tasks.challenges import create, encode
from crucible_tasks.verdict import Outcome, Verdict
from crucible_workers import verdict_cache
from crucible_workers.verdict_cache import OwnVerdicts, Question, Recollection, shared_memory

PROBE = Challenge("probe/0", Language.PYTHON, "", "f", ScriptTests("assert f(1) == 2"))
RIGHT, RANDOM = "def f(x): return x + 1", "import random\ndef f(x): return random.randint(0, 2)"
PASSED = Verdict(Outcome.PASSED, cpu_seconds=0.01, wall_seconds=0.02)

pytestmark = pytest.mark.usefixtures("crucible_home")


@pytest.fixture(autouse=True)
def _unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    # one in so many, for a test's purpose none
    monkeypatch.setattr(verdict_cache, "SPOT_CHECK_EVERY", 10**12)


@pytest.fixture
def memory() -> OwnVerdicts:
    return OwnVerdicts()


def _ask(
    memory: OwnVerdicts | None,
    *programs: str,
    challenge: Challenge = PROBE,
    limits: Limits | None = None,
) -> Recollection:
    """A request for these programs, after what is known was looked up."""
    store = open_store(settings.current().artifacts_url)
    digest = store.put(encode(create("probe", "own", [challenge])))
    asked = Recollection(memory)
    asked.recall(Question(challenge, digest, limits), programs)
    return asked


def _teach(memory: OwnVerdicts, program: str, verdict: Verdict = PASSED) -> None:
    taught = _ask(memory, program)
    taught.learn(program, verdict)
    taught.publish()


def test_what_was_learned_is_known_once_it_is_published(memory: OwnVerdicts) -> None:
    first = _ask(memory, RIGHT)
    assert first.found == {}
    first.learn(RIGHT, PASSED)

    assert _ask(memory, RIGHT).found == {}
    first.publish()
    assert _ask(memory, RIGHT, "another").found == {RIGHT: PASSED}


@pytest.mark.parametrize(
    "other",
    [
        replace(PROBE, tests=ScriptTests("assert f(1) == 3")),
        replace(PROBE, entry_point="g"),
        replace(PROBE, prompt="import math\n"),
        replace(PROBE, limits=Limits(memory_mib=100)),
    ],
)
def test_another_test_or_limit_is_another_question(memory: OwnVerdicts, other: Challenge) -> None:
    _teach(memory, RIGHT)

    assert _ask(memory, RIGHT, challenge=other).found == {}
    assert _ask(memory, RIGHT, limits=Limits(cpu_seconds=9)).found == {}


def test_the_same_tests_under_another_name_are_the_same_question(memory: OwnVerdicts) -> None:
    _teach(memory, RIGHT)
    renamed = replace(PROBE, task_id="other/7", prompt="A text.", prompt_is_code=False)

    assert _ask(memory, RIGHT, challenge=renamed).found == {RIGHT: PASSED}


@pytest.mark.parametrize("setting", ["CRUCIBLE_SANDBOX=process", "python=3.99", "grader=other/1"])
def test_another_sandbox_python_or_grader_is_another_question(
    memory: OwnVerdicts, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    _teach(memory, RIGHT)
    name, _, value = setting.partition("=")
    if name == "python":
        monkeypatch.setattr("platform.python_version", lambda: value)
    elif name == "grader":
        monkeypatch.setattr(verdict_cache, "grader_label", lambda: value)
    else:
        monkeypatch.setenv(name, value)
        settings.current.cache_clear()

    assert _ask(memory, RIGHT).found == {}


@pytest.mark.parametrize(
    "outcome", sorted(set(Outcome) - {"passed", "failed", "error", "syntax_error"})
)
def test_what_the_host_may_have_done_is_not_kept(memory: OwnVerdicts, outcome: Outcome) -> None:
    _teach(memory, RIGHT, Verdict(outcome))

    assert _ask(memory, RIGHT).found == {}


def test_what_a_slower_host_might_not_find_is_not_kept(memory: OwnVerdicts) -> None:
    _teach(memory, RIGHT, replace(PASSED, cpu_seconds=0.6 * PROBE.limits.cpu_seconds))

    assert _ask(memory, RIGHT).found == {}


def test_what_luck_may_decide_is_not_kept(memory: OwnVerdicts) -> None:
    _teach(memory, RANDOM)
    drawn = replace(PROBE, tests=ScriptTests("import random\nassert f(random.random())"))
    asked = _ask(memory, RIGHT, challenge=drawn)
    asked.learn(RIGHT, PASSED)
    asked.publish()

    assert _ask(memory, RANDOM).found == {}
    assert _ask(memory, RANDOM).is_lucky(RANDOM)
    assert asked.is_lucky(RIGHT)
    assert _ask(memory, RIGHT, challenge=drawn).found == {}


def test_a_checked_verdict_that_is_wrong_voids_its_host_once_it_is_sure(
    memory: OwnVerdicts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _teach(memory, RIGHT)
    _teach(memory, "other")
    monkeypatch.setattr(verdict_cache, "SPOT_CHECK_EVERY", 1)
    checked = _ask(memory, RIGHT, "other")
    assert checked.found == {}
    checked.learn("other", PASSED)
    failed = replace(PASSED, outcome=Outcome.FAILED)
    checked.learn(RIGHT, failed)
    monkeypatch.undo()
    monkeypatch.setattr(verdict_cache, "SPOT_CHECK_EVERY", 10**12)

    checked.publish()
    assert _ask(memory, RIGHT, "other").found == {RIGHT: failed}
    assert "remembered_verdict_wrong" in caplog.text


def test_the_latest_are_kept() -> None:
    memory = OwnVerdicts(capacity=2)
    memory.add({"a": PASSED, "b": PASSED})
    assert set(memory.find(["a", "z"])) == {"a"}
    memory.add({"c": PASSED})

    assert set(memory.find("abc")) == {"a", "c"}
    memory.void("any")
    assert memory.find("abc") == {}


def test_who_asks_afresh_hears_nothing_and_teaches_the_others(memory: OwnVerdicts) -> None:
    _teach(memory, RIGHT)
    store = open_store(settings.current().artifacts_url)
    digest = store.put(encode(create("probe", "own", [PROBE])))
    afresh = Recollection(memory, is_afresh=True)
    afresh.recall(Question(PROBE, digest), [RIGHT])
    assert afresh.found == {}
    failed = replace(PASSED, outcome=Outcome.FAILED)
    afresh.learn(RIGHT, failed)
    afresh.publish()

    assert _ask(memory, RIGHT).found == {RIGHT: failed}


def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(shared_memory(), OwnVerdicts)
    assert shared_memory() is shared_memory()
    monkeypatch.setenv("CRUCIBLE_VERDICT_CACHE", "off")
    settings.current.cache_clear()

    assert shared_memory() is None
    asked = _ask(None, RIGHT)
    asked.learn(RIGHT, PASSED)
    asked.publish()
    assert asked.found == {}

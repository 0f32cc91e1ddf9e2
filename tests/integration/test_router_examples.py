"""A router's cascade runs the examples a problem shows in the real sandbox, and nothing hidden."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crucible_infra import settings
from crucible_infra.artifacts import open_store
from crucible_infra.errors import SandboxUnavailable
from crucible_tasks import challenges
from crucible_tasks.challenge import Challenge, Language, ScriptTests
from crucible_tasks.router import Member, Policy, Router, Signal
from crucible_workers import evaluate
from crucible_workers.models import open_model
from model_requests import CHAT, samples
from model_server import ModelServer, OpenAi

PROBLEM = Challenge(
    "T/0",
    Language.PYTHON,
    'def f(a):\n    """\n    >>> f(1)\n    1\n    """\n',
    "f",
    # the opposite of what the problem shows: what the tests want must change nothing
    ScriptTests("assert f(1) == 0"),
)

TEXTS = {
    4711: "```python\ndef f(a):\n    return a\n```",
    4712: "```python\ndef f(a):\n    return 0\n```",
    4713: "```python\ndef f(a):\n    while True:\n        pass\n```",
    4714: "I do not know.",
}


@pytest.fixture(scope="module")
def router() -> Iterator[Router]:
    with ModelServer(OpenAi(lambda _, seed: TEXTS[seed], ("small", "large"))) as server:
        members = [
            Member(role, f"openai:{server.url}/v1#{name}")
            for role, name in (("fast", "small"), ("quality", "large"))
        ]
        yield Router("hybrid", Policy.CASCADE, tuple(members), tuple(Signal))


def test_a_program_is_turned_down_for_the_example_it_fails(
    router: Router, crucible_home: Path
) -> None:
    assert crucible_home
    problem = replace(PROBLEM, limits=replace(PROBLEM.limits, cpu_seconds=0.2))
    dataset = challenges.encode(challenges.create("one", "own", [problem]))
    digest = open_store(settings.current().artifacts_url).put(dataset)
    model = open_model(router.spec, digest)
    found = model.sample(samples(0, 1, 2, 3, prompt=CHAT))
    model.close()
    assert [one.draws[0].signals for one in found] == [
        (),
        ("example_failed",),
        ("example_failed",),
        ("no_code",),
    ]
    assert [len(one.draws) for one in found] == [1, 2, 2, 2]


def test_a_host_without_a_sandbox_says_so_when_the_router_is_opened(
    router: Router, crucible_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert crucible_home
    monkeypatch.setenv("CRUCIBLE_SANDBOX", "container")
    monkeypatch.setenv("CRUCIBLE_CONTAINER_ENGINE", "/nobody/has/this")
    settings.current.cache_clear()
    with pytest.raises(SandboxUnavailable, match="escalates on example_failed") as caught:
        open_model(router.spec, None)
    assert "escalate_on" in str(caught.value.hint)
    # one that looks at texts alone needs none
    open_model(replace(router, escalate_on=(Signal.NO_CODE,)).spec, None).close()


@pytest.fixture(autouse=True, scope="module")
def _sandboxes() -> Iterator[None]:
    yield
    while evaluate._sandboxes:
        evaluate._sandboxes.popitem()[1].close()

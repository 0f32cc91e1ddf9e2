"""One program judged against one test, and the outcomes that mean the sandbox holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from textwrap import dedent, indent

from crucible_tasks.challenge import Challenge, Language, Limits, ScriptTests
from crucible_tasks.verdict import Outcome, Verdict
from crucible_workers.sandbox.interface import Sandbox

PASSED = frozenset({Outcome.PASSED})
NOT_PASSED = frozenset(Outcome) - {Outcome.PASSED, Outcome.INFRA_ERROR, Outcome.MISSING}
_LIMITS = Limits(cpu_seconds=1.0, memory_mib=1024, processes=32, file_mib=16, output_mib=4)
_ENDLESS = replace(_LIMITS, cpu_seconds=0.3)


@dataclass(frozen=True, slots=True)
class Check:
    """One attack or promise."""

    name: str
    #: "verdict", "files", "network", "kernel", "resources", "aftermath", "promises"
    topic: str
    program: str
    test: str
    expected: frozenset[Outcome] = PASSED
    #: whether it holds without walls too, in the `process` backend
    is_universal: bool = False
    limits: Limits = field(default=_LIMITS)
    language: Language = Language.PYTHON
    #: judged just before it, whatever its verdict
    before: str = ""


def run_checks(sandbox: Sandbox, checks: tuple[Check, ...]) -> Iterator[tuple[Check, Verdict]]:
    """Judge each check; the caller compares with `expected`."""
    for check in checks:
        challenge = Challenge(
            task_id=f"check/{check.name}",
            language=check.language,
            prompt="",
            entry_point=None,
            tests=ScriptTests(check.test),
            limits=check.limits,
        )
        programs = [check.before, check.program] if check.before else [check.program]
        *_, verdict = sandbox.judge(challenge, programs)
        yield check, verdict


def hurried(check: Check) -> Check:
    """The same, at its end sooner where nothing but its limit ends it: people wait for all."""
    is_endless = check.expected == {Outcome.TIMED_OUT}
    return replace(check, limits=_ENDLESS) if is_endless else check


def attack(name: str, topic: str, body: str) -> Check:
    """A body that returns True when it got through, and raises or returns falsely when not."""
    lines = indent(dedent(body).strip(), " " * 8)
    program = f"def attempt():\n    try:\n{lines}\n    except Exception:\n        return False\n"
    return Check(name, topic, program, "assert not attempt()")


def promise(name: str, program: str, test: str) -> Check:
    """An honest program that must pass everywhere."""
    return Check(name, "promises", dedent(program), dedent(test), is_universal=True)

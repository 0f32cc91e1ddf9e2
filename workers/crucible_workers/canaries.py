"""Canaries: programs whose verdict is certain, judged among the others to test this host.

All of them are ours. A dataset's own solution would not do: some do not pass their own tests
(HumanEval-X JavaScript 112, 155 and 162, some of MBPP), and that is the dataset's fault, not the
host's; `crucible benchmark -m reference` is what finds those.

Each engine has canaries of its own, because a healthy driver says nothing about the engine that
runs whole programs. Their tests use values of several types, and what is wrong shows in the last
assertion only, so a canary's verdict is right only when everything before it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from enum import StrEnum

from crucible_infra.errors import CrucibleError
from crucible_tasks.challenge import (
    Challenge,
    Language,
    Limits,
    ScriptTests,
    StdioCase,
    StdioTests,
    Tests,
)
from crucible_tasks.verdict import Outcome, Verdict
from crucible_workers.sandbox.interface import Sandbox

#: two hundred times what the right program takes, so that no load makes it fail
_LIMITS = Limits(cpu_seconds=1.0, memory_mib=1024, processes=32, file_mib=16, output_mib=4)

#: CPU time that an endless program gets: the least that a limit can be told from no limit with
ENDLESS_SECONDS = 0.1
_ENDLESS_LIMITS = replace(_LIMITS, cpu_seconds=ENDLESS_SECONDS)

#: how far its CPU time may be from its limit, as factors: it was 1.03 to 1.1 on a busy host
_ENDLESS_LEAST, _ENDLESS_MOST = 0.9, 3.0


class Engine(StrEnum):
    """What judges a challenge; each is tested with canaries of its own."""

    PYTHON_CALLS = "python calls"
    PYTHON_PROGRAMS = "python programs"
    JAVASCRIPT_CALLS = "javascript calls"
    JAVASCRIPT_PROGRAMS = "javascript programs"


@dataclass(frozen=True, slots=True)
class Canary:
    """One program and what must become of it."""

    name: str
    challenge: Challenge
    program: str
    expected: frozenset[Outcome]

    def objection(self, verdict: Verdict) -> str | None:
        """What was seen where it is not what must be; None when all is well."""
        seen, limit = verdict.cpu_seconds, self.challenge.limits.cpu_seconds
        if verdict.outcome not in self.expected:
            return f"{verdict.outcome} ({verdict.detail})" if verdict.detail else verdict.outcome
        if verdict.outcome is Outcome.PASSED and seen >= limit:
            return f"passed after {seen:.2f} s of CPU time"
        is_near = _ENDLESS_LEAST * limit <= seen <= _ENDLESS_MOST * limit
        if verdict.outcome is Outcome.TIMED_OUT and not is_near:
            return f"timed_out after {seen:.2f} s of CPU time"
        return None


@dataclass(frozen=True, slots=True)
class Flock:
    """The canaries of one engine."""

    #: must pass
    gold: Canary
    #: must not pass, each for another reason
    wrong: tuple[Canary, ...]
    #: must time out; judged rarely, because it costs CPU time
    endless: Canary

    def pair(self, number: int) -> tuple[Canary, Canary]:
        """A wrong one, in turn, and then the right one.

        In this order, because a sandbox that repeats its last verdict, or answers one program
        late, gets the second one wrong whatever it judged before.
        """
        return self.wrong[number % len(self.wrong)], self.gold


@dataclass(frozen=True, slots=True)
class Complaint:
    """A canary whose verdict is wrong."""

    canary: Canary
    seen: str

    @property
    def expected(self) -> str:
        """What would have been right."""
        limit = self.canary.challenge.limits.cpu_seconds
        bounds = {Outcome.PASSED: f" within {limit:g} s", Outcome.TIMED_OUT: f" after {limit:g} s"}
        return " or ".join(f"{one}{bounds.get(one, '')}" for one in sorted(self.canary.expected))

    def __str__(self) -> str:
        return f"canary {self.canary.name!r} was {self.seen}, must be {self.expected}"


def engine_of(challenge: Challenge) -> Engine | None:
    """What judges this challenge; None where there are no canaries."""
    if challenge.language is Language.OTHER:
        return None
    kind = "programs" if isinstance(challenge.tests, StdioTests) else "calls"
    return Engine(f"{challenge.language} {kind}")


def find_complaint(sandbox: Sandbox, canaries: Sequence[Canary]) -> Complaint | None:
    """Judge canaries of one challenge in one slot; the first whose verdict is wrong.

    A sandbox that cannot judge at all is a wrong verdict too: nothing is raised.
    """
    programs = [canary.program for canary in canaries]
    judged = 0
    try:
        with closing(sandbox.judge(canaries[0].challenge, programs)) as verdicts:
            for canary, verdict in zip(canaries, verdicts, strict=True):
                seen = canary.objection(verdict)
                if seen is not None:
                    return Complaint(canary, seen)
                judged += 1
    except CrucibleError as error:
        return Complaint(canaries[judged], f"not judged ({error.message})")
    return None


@dataclass(frozen=True, slots=True)
class _Programs:
    """What the canaries of one engine run."""

    right: str
    wrong_value: str
    exits: str
    forges: str
    endless: str


def _flock(engine: Engine, tests: Tests, programs: _Programs) -> Flock:
    language = Language(engine.partition(" ")[0])

    def canary(name: str, program: str, *outcomes: Outcome) -> Canary:
        return Canary(f"{engine}, {name}", challenge, program, frozenset(outcomes))

    name = "canary of " + engine
    challenge = Challenge(name, language, "", "summary", tests, limits=_LIMITS)
    endless = canary("endless", programs.endless, Outcome.TIMED_OUT)
    return Flock(
        canary("right", programs.right, Outcome.PASSED),
        (
            canary("wrong value", programs.wrong_value, Outcome.FAILED),
            canary("exit", programs.exits, Outcome.ERROR, Outcome.FAILED),
            canary("forgery", programs.forges, Outcome.ERROR, Outcome.FAILED),
        ),
        replace(endless, challenge=replace(challenge, limits=_ENDLESS_LIMITS)),
    )


_CALL_TESTS = """
assert summary([3, 1, 2]) == {"sorted": [1, 2, 3], "mean": 2.0, "text": "1 2 3"}
assert summary([]) == {"sorted": [], "mean": 0.0, "text": ""}
found = summary([-5, 10, 2.5])
assert found["sorted"] == [-5, 2.5, 10]
assert found["mean"] == 2.5
"""

_CALL = """
def summary(values):
    ordered = sorted(values)
    mean = sum(ordered) / len(ordered) if ordered else 0.0
    text = " ".join(map(str, ordered))
    return {"sorted": ordered, "mean": mean, "text": text}
"""

_CALLS = _Programs(
    right=_CALL,
    # right but for the very last assertion
    wrong_value=_CALL.replace("sum(ordered)", "(sum(ordered) + (-5 in ordered))"),
    exits="import os\ndef summary(values):\n    os._exit(0)\n",
    forges="""
class Anything(dict):
    def __eq__(self, other): return True
    def __getitem__(self, key): return self

def summary(values): return Anything()
""",
    endless="def summary(values):\n    while True:\n        pass\n",
)

_STDIO_TESTS = StdioTests((StdioCase("1 2\n", "3\n"), StdioCase("20 -5 0.5\n", "15.5\n")))

_PROGRAM = "print(sum(float(word) for word in input().split()))\n"

_PROGRAMS = _Programs(
    right=_PROGRAM,
    wrong_value=_PROGRAM.replace("float(word)", "abs(float(word))"),
    exits="raise SystemExit(0)\n",
    forges="print('passed')\nprint('3\\n15.5')\n",
    endless="while True:\n    pass\n",
)

_JAVASCRIPT_TESTS = """
const assert = require('node:assert');
assert.deepStrictEqual(summary([3, 1, 2]), { sorted: [1, 2, 3], mean: 2, text: '1 2 3' });
assert.deepStrictEqual(summary([]), { sorted: [], mean: 0, text: '' });
const found = summary([-5, 10, 2.5]);
assert.deepStrictEqual(found.sorted, [-5, 2.5, 10]);
assert.strictEqual(found.mean, 2.5);
"""

_JAVASCRIPT_CALL = """
function summary(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const mean = sorted.reduce((a, b) => a + b, 0) / Math.max(sorted.length, 1);
  return { sorted, mean, text: sorted.join(' ') };
}
"""

_JAVASCRIPT_CALLS = _Programs(
    right=_JAVASCRIPT_CALL,
    wrong_value=_JAVASCRIPT_CALL.replace("mean,", "mean: mean + values.includes(-5),"),
    exits="function summary(values) { process.exit(0); }\n",
    forges="""
require('node:assert').deepStrictEqual = require('node:assert').strictEqual = () => {};
function summary(values) { return { valueOf: () => 2.5, sorted: [], mean: 0, text: '' }; }
""",
    endless="function summary(values) { for (;;); }\n",
)

_JAVASCRIPT_PROGRAM = """
const words = require('node:fs').readFileSync(0, 'utf8').trim().split(/\\s+/);
console.log(words.reduce((sum, word) => sum + Number(word), 0));
"""

_JAVASCRIPT_PROGRAMS = _Programs(
    right=_JAVASCRIPT_PROGRAM,
    wrong_value=_JAVASCRIPT_PROGRAM.replace("Number(word)", "Math.abs(word)"),
    exits="process.exit(0);\n",
    forges="console.log('passed');\nconsole.log('3\\n15.5');\n",
    endless="for (;;);\n",
)

FLOCKS = {
    Engine.PYTHON_CALLS: _flock(Engine.PYTHON_CALLS, ScriptTests(_CALL_TESTS), _CALLS),
    Engine.PYTHON_PROGRAMS: _flock(Engine.PYTHON_PROGRAMS, _STDIO_TESTS, _PROGRAMS),
    Engine.JAVASCRIPT_CALLS: _flock(
        Engine.JAVASCRIPT_CALLS, ScriptTests(_JAVASCRIPT_TESTS), _JAVASCRIPT_CALLS
    ),
    Engine.JAVASCRIPT_PROGRAMS: _flock(
        Engine.JAVASCRIPT_PROGRAMS, _STDIO_TESTS, _JAVASCRIPT_PROGRAMS
    ),
}

"""Answers of models and what a sandbox would find of them, made up from a seed."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

from crucible_tasks.challenge import Challenge, OracleTests, ScriptTests
from crucible_tasks.completion import Finish, Form
from crucible_tasks.verdict import Outcome

#: what enters n, in the order of Outcome
OUTCOMES = tuple(outcome for outcome in Outcome if not outcome.is_ours)

#: how often each of those that are no pass comes, as small models have it
_WEIGHTS = (60, 16, 7, 6, 5, 2, 2, 2)

_OPENINGS = (
    "Here is the function:",
    "Sure! This does what the docstring asks for.",
    "You can write it like this:",
    "The idea is to walk through the values once and to keep what is needed.",
    "",
)

_CLOSINGS = (
    "It runs in linear time.",
    "Let me know if you need tests as well!",
    "**Note:** an empty input is handled.",
    "",
)


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer and the verdict on it."""

    form: Form
    text: str
    finish: Finish
    outcome: Outcome
    detail: str
    extraction: str
    program_digest: str | None
    cpu_seconds: float
    wall_seconds: float


def judged(challenge: Challenge, skill: float, style: str, rng: random.Random) -> Judged:
    """An answer of a model that passes this share of the challenges of middling difficulty."""
    likely = skill + 0.9 * (0.5 - _difficulty(challenge))
    if rng.random() < likely:
        return of_outcome(challenge, Outcome.PASSED, style, rng)
    [outcome] = rng.choices(OUTCOMES[1:], _WEIGHTS)
    return of_outcome(challenge, outcome, style, rng)


def of_outcome(challenge: Challenge, outcome: Outcome, style: str, rng: random.Random) -> Judged:
    """An answer that ends so."""
    program, detail = _program(challenge, outcome, rng)
    is_chat = style == "chat"
    has_code = outcome is not Outcome.NO_CODE
    cpu = {Outcome.TIMED_OUT: 3.0, Outcome.OUT_OF_MEMORY: 0.4}.get(outcome, 0.002)
    cpu = round(cpu * (1 + 0.2 * rng.random()), 6) if has_code else 0.0
    is_cut = outcome is Outcome.SYNTAX_ERROR
    return Judged(
        form=Form.RESPONSE if is_chat else Form.CONTINUATION,
        text=_reply(program, rng, is_cut=is_cut) if is_chat and has_code else program,
        finish=Finish.LENGTH if is_cut else Finish.STOP,
        outcome=outcome,
        detail=detail,
        extraction=("fence" if is_chat else "continuation") if has_code else "nothing",
        program_digest=hashlib.sha256(program.encode()).hexdigest() if has_code else None,
        cpu_seconds=cpu,
        wall_seconds=round(cpu * 1.6 + 0.001, 6) if has_code else 0.0,
    )


def _difficulty(challenge: Challenge) -> float:
    """From 0 to 1, the same for every model."""
    return hashlib.sha256(challenge.task_id.encode()).digest()[0] / 255


def _program(challenge: Challenge, outcome: Outcome, rng: random.Random) -> tuple[str, str]:
    """A program that ends so, or what stands in its place, and the verdict's line."""
    right = challenge.reference or "def main(*values):\n    return values\n"
    version = rng.randrange(100)
    if outcome is Outcome.PASSED:
        return f"{right}\n# version {version}\n", ""
    if outcome is Outcome.NO_CODE:
        return "I am sorry, but I cannot help with that.", "the answer holds no code"
    # its first line and its docstring
    head = "".join(right.splitlines(keepends=True)[:2])
    if outcome is Outcome.FAILED:
        wrong = rng.choice(("None", "0", "''", "[]", str(version)))
        return f"{head}    return {wrong}\n", _wrong(challenge, wrong)
    line = head.count("\n") + 1
    body, detail = {
        Outcome.ERROR: (f"return {{}}[{version}]", f"KeyError: {version}"),
        Outcome.SYNTAX_ERROR: (
            "return max(",
            f"SyntaxError: '(' was never closed (<solution>, line {line})",
        ),
        Outcome.TIMED_OUT: ("while True: pass", "used its 3 s of CPU time"),
        Outcome.OUT_OF_MEMORY: (f"return [0] * 10**{10 + version}", "MemoryError"),
        Outcome.OUTPUT_LIMIT: ("print('ha ' * 10**8)", "printed more than 16 MiB"),
        Outcome.FORBIDDEN: ("import os; os.fork()", "made the system call fork"),
    }[outcome]
    return f"{head}    {body}\n", detail


def _wrong(challenge: Challenge, returned: str) -> str:
    match challenge.tests:
        case ScriptTests(source=source):
            return f"{source.splitlines()[0]}; the last call returned {returned}"
        case OracleTests(inputs=inputs):
            given = inputs.strip("[]").partition("]")[0]
            return f"f({given}) returned {returned}, expected 42"
        case _:
            return f"expected something else than {returned}"


def _reply(program: str, rng: random.Random, *, is_cut: bool) -> str:
    """A chat's answer around the program; one that was cut has no end."""
    opening, closing = rng.choice(_OPENINGS), rng.choice(_CLOSINGS)
    begun = f"{opening}\n\n```python\n{program}"
    return begun.strip() if is_cut else f"{begun}```\n\n{closing}".strip()

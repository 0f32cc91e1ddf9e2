"""A challenge's examples are those its own text shows, and never the tests it is graded by."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from crucible_tasks.challenge import Challenge, Language, ScriptTests
from crucible_tasks.challenges import open_dataset
from crucible_workers.example_check import shown_by

DATA = Path(__file__).parents[1] / "tasks" / "data"

#: published problems whose own solution does not get their examples right: the text is wrong (47),
#: or calls members of a sequence as if the function returned one (130)
WRONG_IN_PRINT = {"HumanEval/47", "HumanEval/130"}


def read(text: str, *, is_code: bool) -> list[str]:
    prompt = f'def f(a, b=0):\n    """{text}"""\n' if is_code else text
    challenge = Challenge(
        "T/0", Language.PYTHON, prompt, "f", ScriptTests("assert f(9) == 9"), prompt_is_code=is_code
    )
    assert shown_by(replace(challenge, language=Language.JAVASCRIPT)) is None
    assert shown_by(replace(challenge, entry_point=None)) is None
    found = shown_by(challenge)
    return [] if found is None else found.source.splitlines()


@pytest.mark.parametrize("is_code", [True, False])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("\n    >>> f(1)\n    2\n    ", ["assert f(1) == 2"]),
        (
            "\n    f(1) -> 'x'\n    f(2) => {1: 2}\n",
            ["assert f(1) == 'x'", "assert f(2) == {1: 2}"],
        ),
        ("\n    f(f(1)) == 4\n", ["assert f(f(1)) == 4"]),
        ("\n    >>> x = 3\n    >>> f(x)\n    4\n", ["x = 3", "assert f(x) == 4"]),
        # another function, what it prepares, and what came before it
        ("\n    g(1) == 2\n    g(f(1)) == 2\n", []),
        ("\n    >>> x = 3\n    >>> x = g(2)\n    >>> f(x)\n    4\n", []),
        # tests, however they are written
        ("\n    f(1) == 2\n    assert f(2) == 3\n", ["assert f(1) == 2"]),
        ("\n    assert all((\n    f(1) == 2,\n    f(2) == 3))\n", []),
    ],
)
def test_the_examples_of_a_problem_are_those_of_the_function_it_asks_for(
    text: str, found: list[str], *, is_code: bool
) -> None:
    assert read(text, is_code=is_code) == found


@pytest.mark.parametrize(
    "name", ["mbpp.jsonl", "mbpp_sanitized.json", "mbpp_plus_originfmt.jsonl", "mbpp_plus.jsonl"]
)
def test_the_asserts_that_a_prompt_borrows_from_its_tests_are_not_read(name: str) -> None:
    challenges = open_dataset(str(DATA / name)).challenges
    assert any("assert" in one.prompt for one in challenges)
    assert [shown_by(one) for one in challenges] == [None] * len(challenges)


def test_a_function_may_have_a_name_that_python_has_too() -> None:
    prompt = 'def bisect(xs):\n    """bisect([1, 2]) -> 1"""\n'
    found = shown_by(Challenge("T/0", Language.PYTHON, prompt, "bisect", ScriptTests("")))
    assert found is not None
    assert found.source == "assert bisect([1, 2]) == 1\n"


def test_published_solutions_get_their_problems_examples_right() -> None:
    challenges = open_dataset("humaneval").challenges
    found = [(one, examples) for one in challenges if (examples := shown_by(one)) is not None]
    assert len(found) == 123
    assert sum(len(examples.shown) for _, examples in found) > 300
    wrong = set()
    for challenge, examples in found:
        assert examples.entry_point == challenge.entry_point
        names: dict[str, object] = {"math": math}
        exec(challenge.reference or "", names)
        try:
            exec(examples.source, names)
        except AssertionError:
            wrong.add(challenge.task_id)
    assert wrong == WRONG_IN_PRINT

"""Examples are read from the problem's own text, and only where they are unmistakable."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible_tasks.challenge import Challenge, Language, ScriptTests
from crucible_tasks.challenges import open_dataset
from crucible_tasks.visible_examples import examples

#: examples of published problems that the problem's own solution does not get right: the text is
#: wrong (47), or writes a fraction where the solution rounds (130)
WRONG_IN_PRINT = {"HumanEval/47", "HumanEval/130"}


def read(text: str, *, is_code: bool = False) -> list[str]:
    prompt = f'def f(a, b=0):\n    """{text}"""\n' if is_code else text
    challenge = Challenge(
        "T/0", Language.PYTHON, prompt, "f", ScriptTests("assert f(9) == 9"), prompt_is_code=is_code
    )
    found = list(examples(challenge))
    assert examples(replace(challenge, language=Language.JAVASCRIPT)) == ()
    return [one.removeprefix("assert ") for one in found]


@pytest.mark.parametrize("is_code", [True, False])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("\n    >>> f(1)\n    2\n    ", ["f(1) == 2"]),
        ("\n    >>> f([1,\n    ... 2])\n    [1,\n     2]\n\n    More.", ["f([1, 2]) == [1, 2]"]),
        (
            "\n    >>> f('a b')\n    'c'\n    >>> f(2)\n    None\n",
            ["f('a b') == 'c'", "f(2) == None"],
        ),
        ("\n    >>> f(1)\n    2\n    Then some words.\n", ["f(1) == 2"]),
        ("\n    For f(1, b=2) == [3, (4,)] and so on", ["f(1, b=2) == [3, (4,)]"]),
        ("\n    f(1) -> 'x'\n    f(2) => {1: 2}\n", ["f(1) == 'x'", "f(2) == {1: 2}"]),
        ("\n    f(1) should return True.\n    f(2) = -1.5", ["f(1) == True", "f(2) == -1.5"]),
        ("\n    assert f((1, 2)) == ')'\n", ["f((1, 2)) == ')'"]),
        ("\n    f(f(1)) == 4\n", ["f(f(1)) == 4"]),
        # told as a sum, by a name, by another function, without an answer
        ("\n    f(4) == 1 + 3 = 4\n    f(x) == 1\n    g(1) == 2\n    call f(1) now\n", []),
        ("\n    >>> x = 3\n    >>> f(x)\n    4\n    >>> f(1)\n    Traceback: no\n", []),
    ],
)
def test_an_example_is_a_call_with_a_literal_answer(
    text: str, found: list[str], *, is_code: bool
) -> None:
    assert read(text, is_code=is_code) == found


@given(st.text(alphabet="f()1,[]'= ->\n.\"#x", max_size=120))
def test_any_text_can_be_read(text: str) -> None:
    for one in read(text):
        compile(one, "<example>", "eval")


def test_published_solutions_get_their_problems_examples_right() -> None:
    dataset = open_dataset("humaneval")
    found = {one.task_id: examples(one) for one in dataset.challenges}
    assert sum(map(bool, found.values())) == 122
    wrong = set()
    for challenge in dataset.challenges:
        names: dict[str, object] = {}
        exec(challenge.reference or "", names)
        for one in found[challenge.task_id]:
            try:
                exec(one, names)
            except AssertionError:
                wrong.add(challenge.task_id)
    assert wrong == WRONG_IN_PRINT

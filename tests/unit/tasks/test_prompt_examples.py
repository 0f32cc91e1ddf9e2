from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible_tasks.challenge import Language
from crucible_tasks.prompt_examples import Examples, examples_in, language_of


def read(text: str) -> Examples:
    found = examples_in(text)
    assert found is not None, text
    return found


def holds(text: str, program: str) -> bool:
    """Whether a program passes the examples of a prompt."""
    namespace: dict[str, Any] = {"math": __import__("math")}
    exec(program, namespace)
    try:
        exec(read(text).source, namespace)
    except AssertionError:
        return False
    return True


SQUARE = "def square(x):\n    if x < 0: raise ValueError\n    return x * x"
CUBE = "def square(x): return x ** 3"

CLEAR = [
    ">>> square(3)\n9\n",
    "def square(x):\n    '''Square it.\n\n    >>> square(3)\n    9\n    '''\n",
    "# >>> square(3)\n# 9\n",
    ">>> square(3)\n9\nas everybody knows\n",
    ">>> print(square(3))\n9\n",
    ">>> from squares import square\n>>> y = 3\n>>> square(y)\n9\n",
    ">>> [square(\n...     x) for x in (1, 2, 3)]\n[1, 4, 9]\n",
    ">>> square(-3)\nTraceback (most recent call last):\n  ...\nValueError: negative\n",
    "assert square(3) == 9",
    "- `assert square(3) == 9`",
    "Example: square(3) -> 9",
    "For example, `square(3)` should return `9`.",
    "square(3) returns 9 and square(2) returns 4.",
    "square(3) == 9",
    "square(3)  # => 9",
    "square(3) is 9, square(1) is 1",
    "square(-1) raises a ValueError",
    "square(0.3) = 0.09",
    "assert all(\n    square(x) == x * x\n    for x in range(4)\n)",
    "square(3) ➞ 9",
    "For square(3) == 9 and so on",
    "square(3) must equal 9",
    ">>> [square(x) for x in (1, 2)]\n[1,\n 4]\nThen some words.",
    ">>> square(square(3))\n81\n>>> square(2)\n4",
]


@pytest.mark.parametrize("text", CLEAR)
def test_what_a_prompt_shows_tells_a_right_program_from_a_wrong_one(text: str) -> None:
    assert read(text).entry_point == "square"
    assert holds(text, SQUARE)
    assert not holds(text, CUBE)


@pytest.mark.parametrize(
    "text",
    [
        "Explain what f(x) = x * x does.",
        "square(3) returns 10 instead of 9",
        "square(3) is 10 but should be 9",
        "square(3) is not 9",
        "why does square(3) return 9?",
        "square(3) == 3 ** 2",
        "square(3) is 3 times square(1)",
        "square(3) -> 9, 10",
        "square(3) returns 9 or None",
        "square(n) returns n * n",
        "square(3) -> 3 * 3 = 9",
        "square(3) ->19 - 5 - 6 = 8",
        "square(3) -> 8 - 5 = 3",
        "square(3) returns 9 and 10",
        "square(3) -> [1, 2, ..., 9]",
        "call square(3) now",
        "with cube(x as square(3) is 9",
        ">>> square(3)\nTraceback: no\n",
        ">>> square(3)\nnothing\n",
        ">>> square(3)\n[1, 2, ..., 9]\n",
        ">>> square(2)\n1\n4\nwhat it prints\n",
        ">>> x = 3\n>>> x = next(y)\n>>> square(x)\n9\n",
        "len([1, 2]) == 2",
        ">>> import math\n>>> math.sqrt(4)\n2.0\n",
        ">>> square(3)  # doctest: +SKIP\n9\n",
        ">>> square(3)\nsome words about it\nand more of them\n",
        "def f(x):\n    assert x > 0\n    assert isinstance(x, int)\n    assert self.valid(x)\n",
        "def square(3) -> 9",
        "assert " + "(" * 5000,
        "square(" * 2000,
    ],
)
def test_what_is_not_clear_is_no_example(text: str) -> None:
    assert examples_in(text) is None


def test_the_name_that_is_called_most_is_the_one_asked_for() -> None:
    found = read("assert decode(encode('a')) == 'a'\nassert decode('b') == 'c'")
    assert found.entry_point == "decode"
    assert found.shown == ("assert decode(encode('a')) == 'a'", "assert decode('b') == 'c'")


def test_objects_are_prepared_before_they_are_asked() -> None:
    text = ">>> s = Stack()\n>>> s.push(1)\n>>> s.pop()\n1\n"
    assert read(text).source == "s = Stack()\ns.push(1)\nassert s.pop() == 1\n"


def test_an_object_is_compared_as_it_shows_itself() -> None:
    found = read(">>> Point(1)\nPoint(x=1)\n>>> split('a b')\n'c'\n")
    assert found.source == "assert repr(Point(1)) == 'Point(x=1)'\nassert split('a b') == 'c'\n"


def test_a_function_that_is_known_to_be_asked_for_is_the_only_one_called() -> None:
    text = ">>> x = encode(1)\n>>> decode(x)\n1\n\ndecode(2) -> 3\nencode(4) -> 5"
    found = examples_in(text, only="decode")
    assert found is not None
    assert found.source == "assert decode(2) == 3\n"
    script = examples_in("decode(2) === 3; encode(4) === 5", Language.JAVASCRIPT, "decode")
    assert script is not None
    assert script.shown == ("decode(2) is 3",)


@given(st.text(alphabet="f()1,[]'= ->\n.\"#x", max_size=120))
def test_any_text_can_be_read(text: str) -> None:
    found = examples_in(text)
    compile(found.source if found else "", "<examples>", "exec")


def test_a_text_of_nothing_but_calls_is_not_read_to_its_end() -> None:
    line = "square(1) is 1, " * 30
    assert len(read(line).shown) == 20
    assert len(read(f"{line}\n" * 10).shown) == 50


def test_a_truth_value_is_not_answered_by_a_number() -> None:
    assert not holds("is_even(4) is True", "def is_even(x): return 1 - x % 2")


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("add(1, 2) === 3", "assert.deepStrictEqual(add(1, 2), 3);"),
        (
            "add([1], {a: 'x'}) // => [1, 'x']",
            "assert.deepStrictEqual(add([1], {a: 'x'}), [1, 'x']);",
        ),
        ("console.assert(add(1, 1) === 2);", "console.assert(add(1, 1) === 2);"),
        ("assert.equal(add(1, 1), 2)", "assert.equal(add(1, 1), 2);"),
        ("add(-1) throws TypeError", "assert.throws(() => add(-1), TypeError);"),
    ],
)
def test_javascript_is_read_by_its_own_signs(text: str, check: str) -> None:
    found = examples_in(text, Language.JAVASCRIPT)
    assert found is not None
    assert found.entry_point == "add"
    assert found.source.splitlines()[1:] == [check]


def test_javascript_that_needs_other_names_is_no_example() -> None:
    assert examples_in("add(x) returns 3; console.assert(x > 0); expect(3).toBe(3)",
                       Language.JAVASCRIPT) is None  # fmt: skip


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Write a JavaScript function", Language.JAVASCRIPT),
        ("f(1) === 2", Language.JAVASCRIPT),
        ("Reverse the nodes of a linked list", Language.PYTHON),
        ("Port this Python to js", Language.PYTHON),
    ],
)
def test_the_prompts_own_words_tell_the_language(text: str, language: Language) -> None:
    assert language_of(text) is language


def test_a_prompt_and_its_examples_make_a_challenge() -> None:
    text = "Write square.\n>>> square(3)\n9\n"
    challenge = read(text).challenge(text)
    assert challenge.entry_point == "square"
    assert not challenge.prompt_is_code

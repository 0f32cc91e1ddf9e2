"""What is wrong with an answer is seen from its text and the problem, never from the tests."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible_tasks.challenge import Challenge, Language, ScriptTests
from crucible_tasks.completion import Completion, Finish, Form
from crucible_tasks.conversation_signals import conversation_signals
from crucible_tasks.router import Signal
from crucible_tasks.visible_signals import see, visible

CHALLENGE = visible(
    Challenge(
        "T/0",
        Language.PYTHON,
        'def f(a):\n    """Return a."""\n',
        "f",
        ScriptTests("assert f(1) == 1"),
        "def f(a):\n    return a\n",
    )
)
CODE = "```python\ndef f(a):\n    return a\n```"


def signals(text: str, form: Form = Form.RESPONSE, finish: Finish = Finish.STOP) -> set[Signal]:
    return set(see(Completion(0, form, text, finish=finish), CHALLENGE).signals)


@pytest.mark.parametrize(
    ("text", "form", "found"),
    [
        (CODE, Form.RESPONSE, set()),
        (f"Sure!\n{CODE}\nDone.", Form.RESPONSE, set()),
        ("I cannot do that.", Form.RESPONSE, {Signal.NO_CODE}),
        ("```python\ndef f(a:\n    return a\n```", Form.RESPONSE, {Signal.SYNTAX_ERROR}),
        ("    return a\n", Form.CONTINUATION, set()),
        ("    return (a\n", Form.CONTINUATION, {Signal.SYNTAX_ERROR}),
        ("def f(a):\n    return a\n", Form.SOLUTION, set()),
        ("def f(a:\n", Form.SOLUTION, {Signal.SYNTAX_ERROR}),
        ("    return )\n", Form.COMPLETION, {Signal.SYNTAX_ERROR}),
    ],
)
def test_an_answer_shows_what_is_wrong(text: str, form: Form, found: set[Signal]) -> None:
    assert signals(text, form) == found


def test_an_answer_cut_by_the_token_limit_is_truncated_and_no_syntax_error() -> None:
    cut = "```python\ndef f(a):\n    return a\n\ndef g(b):\n    return (b"
    assert signals(cut, finish=Finish.LENGTH) == {Signal.TRUNCATED}
    assert Signal.TRUNCATED in signals(CODE, finish=Finish.LENGTH)


@given(st.text(max_size=80), st.text(max_size=80), st.sampled_from(Form), st.sampled_from(Finish))
def test_tests_and_reference_change_nothing(
    text: str, secret: str, form: Form, finish: Finish
) -> None:
    completion = Completion(0, form, text, finish=finish)
    other = visible(replace(CHALLENGE, tests=ScriptTests(secret), reference=secret))
    assert other == CHALLENGE
    assert see(completion, other) == see(completion, CHALLENGE)


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        ("A monad is a monoid.", set()),
        (CODE, set()),
        (" \n", {Signal.NO_CODE}),
        ("<think>hm</think>", {Signal.NO_CODE}),
        ("```python\ndef f(:\n```", {Signal.SYNTAX_ERROR}),
        ("```py\n>>> f(1)\n1\n```", set()),
        ("```js\ndef f(:\n```", set()),
    ],
)
def test_a_conversation_may_be_without_code_but_not_with_broken_python(
    reply: str, found: set[Signal]
) -> None:
    assert conversation_signals(reply, Finish.STOP) == found
    assert conversation_signals(reply, Finish.LENGTH) == found | {Signal.TRUNCATED}


@pytest.mark.parametrize(
    ("reply", "is_missing"),
    [
        ("A monad is a monoid.", True),
        ("Sure!", True),
        (CODE, False),
        ("def f(a):\n    return a\n", False),
        ("```js\nf()\n```", False),
    ],
)
def test_prose_is_no_good_where_code_is_wanted(reply: str, *, is_missing: bool) -> None:
    found = conversation_signals(reply, Finish.STOP, wants_code=True)
    assert (Signal.NO_CODE in found) == is_missing

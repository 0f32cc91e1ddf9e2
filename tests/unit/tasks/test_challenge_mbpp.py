"""MBPP's three layouts, and the entry points its rows do not name."""

from __future__ import annotations

from pathlib import Path

import pytest

from crucible_tasks.challenge import Challenge, ScriptTests
from crucible_tasks.challenges import open_dataset
from crucible_tasks.challenges.entry_point import entry_point_of

DATA = Path(__file__).with_name("data")


def _challenges(name: str) -> tuple[Challenge, ...]:
    return open_dataset(str(DATA / name)).challenges


def _source(challenge: Challenge) -> str:
    assert isinstance(challenge.tests, ScriptTests)
    return challenge.tests.source


def test_the_prompt_shows_the_assertions() -> None:
    challenge = _challenges("mbpp.jsonl")[0]
    assert challenge.prompt == (
        "Write a function to add one.\nYour code should pass these tests:\n"
        "assert add_one(helper(1)) == 2\nassert add_one(2) == 3\n"
    )
    assert (challenge.task_id, challenge.prompt_is_code) == ("11", False)


def test_line_ends_are_unix() -> None:
    for challenge in _challenges("mbpp.jsonl"):
        assert "\r" not in f"{challenge.reference}{_source(challenge)}"


def test_set_up_code_runs_before_the_assertions_and_sees_the_program() -> None:
    for challenge in _challenges("mbpp.jsonl"):
        exec(f"{challenge.reference}\n{_source(challenge)}", {})
    assert _source(_challenges("mbpp.jsonl")[1]).startswith("two = add_one(1)\npair = Pair()\n")


def test_challenge_tests_are_not_graded() -> None:
    assert "add_one(0)" not in _source(_challenges("mbpp.jsonl")[0])


def test_sanitized_rows_bring_their_imports() -> None:
    halve, square = _challenges("mbpp_sanitized.json")
    assert _source(halve).startswith("import math\nassert ")
    assert (halve.entry_point, square.entry_point) == ("halve", "square")


def test_the_plus_script_replaces_the_short_list() -> None:
    challenge = _challenges("mbpp_plus_originfmt.jsonl")[0]
    assert "assert halve(4) == 2" not in _source(challenge)
    assert "assert halve(4) == 2" in challenge.prompt
    with pytest.raises(AssertionError):
        exec("def halve(x): return x // 2\n" + _source(challenge), {})


@pytest.mark.parametrize(
    ("reference", "assertions", "expected"),
    [
        ("class Pair: pass\ndef f(x): pass", ["assert f(Pair(1)) == 2"], "f"),
        ("class Pair: pass\ndef f(x): pass", ["assert Pair(f(1)).x == 2"], "f"),
        ("def g(x): pass\ndef f(x): pass", ["assert f(g(1)) == 2"], "f"),
        ("def g(x): pass\ndef f(x): pass", ["assert g(f(1))", "assert f(2)", "assert f(3)"], "f"),
        ("def f(x): pass", ["assert set(f(1)) == set([2])"], "f"),
        ("class Stack: pass", ["assert Stack().size() == 0"], "Stack"),
        ("f = lambda x: x", ["assert f(1) == 1"], "f"),
        ("async def f(x): pass", ["assert f(1)"], "f"),
        ("def f(x): pass", ["assert g(1)"], None),
        ("print 'python 2'", ["assert f(1)"], None),
        ("def f(x): pass", ["assert f("], None),
        ("p = '\\d'\ndef f(x): pass", ["assert f('\\d')"], "f"),
        ("def f(x): pass", [], None),
    ],
)
def test_the_entry_point_is_what_assertions_call_and_the_reference_defines(
    reference: str, assertions: list[str], expected: str | None
) -> None:
    assert entry_point_of(reference, assertions) == expected

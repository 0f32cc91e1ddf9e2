from __future__ import annotations

from dataclasses import replace

import pytest

from crucible_api.failing_assertion import Failure, failure_of
from crucible_tasks.challenge import Challenge, Language, ScriptTests, StdioCase, StdioTests

CHALLENGE = Challenge("T/0", Language.PYTHON, "", "add", ScriptTests(""))


@pytest.mark.parametrize(
    ("detail", "found"),
    [
        (
            "assert candidate([1, 2], 'a; b') == {'x': 3}; the last call returned None",
            Failure(
                "assert candidate([1, 2], 'a; b') == {'x': 3}",
                "candidate([1, 2], 'a; b')",
                "{'x': 3}",
                "None",
            ),
        ),
        (
            "assert 5 == add(2, 3); AssertionError; the last call returned 6",
            Failure("assert 5 == add(2, 3)", "add(2, 3)", "5", "6"),
        ),
        (
            "assert add(1, 2) is True, 'text'; text; the last call returned False",
            Failure("assert add(1, 2) is True, 'text'", "add(1, 2)", "True", "False"),
        ),
        ("assert add(1)", Failure("assert add(1)", "add(1)", "something true")),
        ("assert not add(1)", Failure("assert not add(1)", "add(1)", "something false")),
        (
            "assert abs(add(1, 2) - 3.5) < 1e-6; the last call returned 3",
            Failure("assert abs(add(1, 2) - 3.5) < 1e-6", "add(1, 2)", None, "3"),
        ),
        ("assert math.pi == 3", Failure("assert math.pi == 3")),
        (
            "tests/test_x.py::test_f[1-2]: assert add(1, 2) == 3; the last call returned 4",
            Failure("assert add(1, 2) == 3", "add(1, 2)", "3", "4", "tests/test_x.py::test_f[1-2]"),
        ),
        (
            "f([1, 2], 3) returned 5, expected 6",
            Failure("f([1, 2], 3) returned 5, expected 6", "add([1, 2], 3)", "6", "5"),
        ),
        (
            'assert.deepEqual(candidate([1,2],"a,b"),[3,4]); the last call returned [ 3, 5 ]',
            Failure(
                'assert.deepEqual(candidate([1,2],"a,b"),[3,4])',
                'candidate([1,2],"a,b")',
                "[3,4]",
                "[ 3, 5 ]",
            ),
        ),
        # cut at its end, where the sandbox' limit is
        ("assert candidate([1, 2, 3, 4, 5", Failure("assert candidate([1, 2, 3, 4, 5")),
        ("the tests exit with 3", Failure("the tests exit with 3")),
        ("", Failure("")),
    ],
)
def test_a_failing_line_is_taken_apart(detail: str, found: Failure) -> None:
    assert failure_of(detail, CHALLENGE) == found


def test_a_failing_case_has_the_input_and_output_of_its_challenge() -> None:
    tests = StdioTests((StdioCase("1\n", "2\n"), StdioCase("3\n", "4\n")))
    challenge = replace(CHALLENGE, entry_point=None, tests=tests)
    assert failure_of("case 2: wrong output '5\\n'", challenge) == Failure(
        "case 2", "3\n", "4\n", "'5\\n'"
    )
    # another dataset's, or a liar's
    assert failure_of("case 9: wrong output ''", challenge).input is None
    assert failure_of("case 2: wrong output ''").expected is None


@pytest.mark.parametrize(
    "detail",
    [
        "assert " + "(" * 3000,
        "assert " + "[" * 90 + "]" * 90,
        "assert \0 == 1",
        "assert.ok(" + "{" * 99,
        "assert f'{' == 1",
        "assert \ud800 == 1",
        "; " * 2000,
        "assert 1 if",
        "assert.equal('\\",
    ],
)
def test_no_text_breaks_it(detail: str) -> None:
    assert isinstance(failure_of(detail, CHALLENGE), Failure)

"""Candidates are functions that passing tests call, with the most telling of those tests."""

from __future__ import annotations

import pytest

from crucible_infra.errors import InvalidInput
from crucible_tasks.challenge import Language, RepositoryTests
from crucible_tasks.repository.candidates import (
    FAILING,
    UNCALLED,
    Candidate,
    Uncalled,
    find_candidates,
)
from crucible_tasks.repository.dialects import dialect_of, languages_of
from crucible_tasks.repository.functions import find_functions
from crucible_tasks.repository.snapshot import Snapshot
from crucible_tasks.survey import CalledFunction, Survey, SurveyedTest

SNAPSHOT = Snapshot({"lib/a.py": b"def f(x):\n    return x + 1\n\n\ndef g(x):\n    return f(x)\n"})
CALLED = (
    CalledFunction("lib/a.py", 1, "f", "a"),
    CalledFunction("lib/a.py", 5, "g", "a"),
)


def _only(*tests: SurveyedTest) -> list[Candidate | Uncalled]:
    functions, _ = find_functions(SNAPSHOT)
    return list(find_candidates(SNAPSHOT, functions, Survey(CALLED, tests), ("/p",), 4))


def test_the_tests_that_call_a_function_themselves_and_little_else_come_first() -> None:
    f, g = _only(
        SurveyedTest("through g", None, 0.1, (1, 0), (1,)),
        SurveyedTest("much", None, 0.1, (0, 1), (0, 1)),
        SurveyedTest("alone", None, 0.1, (0,), (0,)),
    )

    assert isinstance(f, Candidate)
    assert isinstance(g, Candidate)
    assert f.challenge.task_id == "a.f"
    assert f.challenge.reference == f.function.reference
    assert f.challenge.tests == RepositoryTests(
        snapshot=SNAPSHOT.digest,
        path="lib/a.py",
        module="a",
        name="f",
        first_line=1,
        last_line=2,
        tests=("alone", "much", "through g"),
        packages=("/p",),
    )
    assert len(f.mutants) == len(set(f.mutants)) > 1


@pytest.mark.parametrize(
    "test",
    [
        SurveyedTest("fails", "AssertionError", 0.1, (0, 1), (0,)),
        SurveyedTest("slow", None, 60.0, (0, 1), (0,)),
    ],
)
def test_a_test_that_fails_or_is_slow_makes_no_challenge(test: SurveyedTest) -> None:
    assert [type(each) for each in _only(test)] == [Uncalled, Uncalled]
    assert {each.reason for each in _only(test) if isinstance(each, Uncalled)} == {FAILING}


def test_what_no_test_calls_says_so() -> None:
    f, g = _only(SurveyedTest("alone", None, 0.1, (0,), (0,)))

    assert isinstance(f, Candidate)
    assert isinstance(g, Uncalled)
    assert g.reason == UNCALLED


def test_not_every_test_of_a_much_used_function_is_kept() -> None:
    f, _ = _only(*(SurveyedTest(f"test {n}", None, 0.1, (0,), (0,)) for n in range(50)))

    assert isinstance(f, Candidate)
    assert isinstance(f.challenge.tests, RepositoryTests)
    assert f.challenge.tests.tests == tuple(f"test {n}" for n in range(20))


def test_of_one_tests_variants_a_few_from_all_over_are_kept_and_each_test_has_its_turn() -> None:
    variants = [f"test_many[{n:02}]" for n in range(50)]
    f, _ = _only(
        *(SurveyedTest(name, None, 0.1, (0,), (0,)) for name in variants),
        SurveyedTest("test_other", None, 0.1, (0, 1), (0,)),
    )

    assert isinstance(f, Candidate)
    assert isinstance(f.challenge.tests, RepositoryTests)
    chosen = f.challenge.tests.tests
    assert "test_other" in chosen[:2]
    places = sorted(variants.index(name) for name in chosen if name != "test_other")
    assert len(places) == 19
    assert places[0] < 10
    assert places[-1] >= 40


def test_javascript_functions_are_named_by_their_files_and_tested_in_few_of_them() -> None:
    snapshot = Snapshot({"a.mjs": b"export const f = (x) => x + 1;\n"})
    functions, _ = dialect_of(Language.JAVASCRIPT).find_functions(snapshot)
    called = (CalledFunction("a.mjs", 1, "f", "a.mjs"),)
    tests = [SurveyedTest(f"test/{n}.js::{m}", None, 0.1, (0,)) for n in range(9) for m in "xy"]
    survey = Survey(called, tuple(tests))

    (f,) = find_candidates(snapshot, functions, survey, (), 4, Language.JAVASCRIPT)

    assert isinstance(f, Candidate)
    assert (f.challenge.task_id, f.challenge.language) == ("a.mjs:f", Language.JAVASCRIPT)
    assert isinstance(f.challenge.tests, RepositoryTests)
    assert f.challenge.tests.tests == tuple(f"test/{n}.js::{m}" for n in range(3) for m in "xy")
    assert f.mutants


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("a.py test_a.py", "python"),
        ("package.json a.js a.test.js", "javascript"),
        ("package.json a.test.js setup.py", "javascript"),
        ("package.json a.js test_a.py", "python"),
        ("package.json a.test.js tests/test_a.py", "python javascript"),
        ("a.test.js test_a.py", "python"),
        ("a.py package.json", "python"),
        ("package.json a.js", "javascript"),
    ],
)
def test_a_repository_is_in_every_language_that_it_has_tests_in(names: str, found: str) -> None:
    snapshot = Snapshot(dict.fromkeys(names.split(), b""))
    assert " ".join(languages_of(snapshot)) == found


def test_a_language_may_be_chosen_where_the_repository_has_it() -> None:
    snapshot = Snapshot(dict.fromkeys(("package.json", "a.test.js", "a.py"), b""))

    assert languages_of(snapshot, Language.PYTHON) == (Language.PYTHON,)
    with pytest.raises(InvalidInput, match=r"no package\.json"):
        languages_of(Snapshot({"a.py": b""}), Language.JAVASCRIPT)

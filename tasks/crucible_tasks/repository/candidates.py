"""Candidates: functions that tests call, each with those tests, before anything was judged."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from crucible_tasks.challenge import Challenge, Language, RepositoryTests
from crucible_tasks.repository.dialects import AnyFunction, Dialect, dialect_of
from crucible_tasks.repository.snapshot import Snapshot
from crucible_tasks.survey import Survey, SurveyedTest

#: of one challenge; the most telling ones first, and more of them seldom find more
_MOST_TESTS = 20
#: wall-clock seconds of one of them: every sample of every model waits for it
_SLOWEST_SECONDS = 2.0
#: where each file of tests has a process of its own
_MOST_FILES = 3

UNCALLED = "no test calls it"
FAILING = "the tests that call it fail, are skipped, flaky or slow"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A function that may become a challenge."""

    function: AnyFunction
    challenge: Challenge
    mutants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Uncalled:
    """A function that cannot, and why."""

    function: AnyFunction
    reason: str


def find_candidates(  # noqa: PLR0913, PLR0917 -- everything that a challenge is made from
    snapshot: Snapshot,
    functions: Sequence[AnyFunction],
    survey: Survey,
    packages: tuple[str, ...],
    most_mutants: int,
    language: Language = Language.PYTHON,
) -> Iterator[Candidate | Uncalled]:
    """One for each function, in their order."""
    dialect = dialect_of(language)
    places = {(each.path, each.line, each.name): n for n, each in enumerate(survey.functions)}
    callers_of: defaultdict[int | None, list[SurveyedTest]] = defaultdict(list)
    for test in survey.tests:
        for called in test.calls:
            callers_of[called].append(test)
    for function in functions:
        place = places.get((function.path, function.first_line, function.qualified_name))
        callers = callers_of[place]
        chosen = _chosen(callers, place, dialect)
        if place is None or not chosen:
            yield Uncalled(function, FAILING if callers else UNCALLED)
            continue
        tests = RepositoryTests(
            snapshot=snapshot.digest,
            path=function.path,
            module=survey.functions[place].module,
            name=function.qualified_name,
            first_line=function.first_line,
            last_line=function.last_line,
            tests=chosen,
            packages=packages,
        )
        challenge = Challenge(
            task_id=f"{tests.module}{dialect.separator}{function.qualified_name}",
            language=language,
            prompt=function.prompt,
            entry_point=function.name,
            tests=tests,
            reference=function.reference,
        )
        yield Candidate(function, challenge, dialect.mutants(function, most_mutants))


def _chosen(
    callers: Sequence[SurveyedTest], place: int | None, dialect: Dialect
) -> tuple[str, ...]:
    """Names of tests that pass: those that call the function themselves and little else first.

    Of those variants of one test that parameters make, a few from all over: its simplest ones look
    at the same thing.
    """
    usable = [test for test in callers if test.problem is None and test.seconds < _SLOWEST_SECONDS]
    turns = _turns(test.name for test in usable)
    ranked = sorted(
        usable,
        key=lambda test: (place not in test.direct_calls, turns[test.name], len(test.calls)),
    )
    names = [test.name for test in ranked]
    if dialect.runs_files_apart:
        files = list(dict.fromkeys(map(_file, names)))[:_MOST_FILES]
        names = [name for name in names if _file(name) in files]
    return tuple(names[:_MOST_TESTS])


def _file(name: str) -> str:
    return name.partition("::")[0]


def _turns(names: Iterable[str]) -> dict[str, int]:
    """Which of its test's variants each is, in an order that is none of theirs."""
    seen: Counter[str] = Counter()
    turns = {}
    for name in sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest()):
        test = name.partition("[")[0]
        turns[name] = seen[test]
        seen[test] += 1
    return turns

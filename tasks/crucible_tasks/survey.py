"""Contract: run a repository's tests in the sandbox once, and see which functions they call."""

from __future__ import annotations

from dataclasses import dataclass

from crucible_tasks.challenge import Language
from crucible_tasks.contract import Contract
from crucible_tasks.evaluation import QUEUE


@dataclass(frozen=True, slots=True)
class SurveyRequest:
    """Ask what the tests of a packed repository call."""

    #: of the archive in the artifact store
    snapshot: str
    #: directories of the worker's host with installed packages
    packages: tuple[str, ...]
    #: that of the tests
    language: Language = Language.PYTHON


@dataclass(frozen=True, slots=True)
class CalledFunction:
    """A function of the repository that ran during a test."""

    path: str
    #: the first of its lines, decorators included
    line: int
    name: str
    #: as the tests import it
    module: str


@dataclass(frozen=True, slots=True)
class SurveyedTest:
    """One test, and what it called."""

    name: str
    #: None when it passed each time, whatever the order of sets was
    problem: str | None
    #: wall-clock, while it was traced
    seconds: float
    #: places in `Survey.functions`
    calls: tuple[int, ...] = ()
    #: those of them that the test's own file calls
    direct_calls: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found; `failure` is set when nothing could be."""

    functions: tuple[CalledFunction, ...] = ()
    tests: tuple[SurveyedTest, ...] = ()
    #: files whose tests cannot be collected, and why
    problems: tuple[str, ...] = ()
    failure: str | None = None
    hint: str | None = None


SURVEY = Contract("crucible.survey_repository", QUEUE, SurveyRequest, Survey, keeps_result=True)

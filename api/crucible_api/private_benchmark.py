"""A private benchmark: challenges from functions of a user's own repository and its tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from crucible_infra.artifacts import open_store
from crucible_infra.errors import CrucibleError
from crucible_infra.settings import current
from crucible_tasks.challenge import Challenge, Language, RepositoryTests
from crucible_tasks.challenges import Dataset, create, encode
from crucible_tasks.repository.candidates import Candidate, find_candidates
from crucible_tasks.repository.dialects import dialect_of
from crucible_tasks.repository.snapshot import Snapshot
from crucible_tasks.sending import send_and_wait, send_and_wait_for_each
from crucible_tasks.survey import SURVEY, Survey, SurveyRequest
from crucible_tasks.trial import TRIAL, Trial, TrialRequest

#: seconds; a suite is run three times, and each time may take ten minutes
_SURVEY_SECONDS = 2400.0
#: seconds of one function: some twenty programs, each of which may use all of its CPU time
_TRIAL_SECONDS = 600.0
#: mutants made, as times of those that must fail: some change nothing that can be seen
_SPARE_MUTANTS = 4


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for."""

    name: str
    packages: tuple[str, ...]
    #: stop after so many challenges
    limit: int | None
    #: how many mutants must fail
    mutants: int
    #: trials under way at once
    at_once: int
    #: of the functions and their tests
    language: Language = Language.PYTHON


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one function."""

    path: str
    name: str
    #: None when it was kept
    reason: str | None
    detail: str = ""
    tests: int = 0
    mutants_failed: int = 0
    mutants_tried: int = 0


@dataclass(frozen=True, slots=True)
class Built:
    """The challenges, and what became of every function."""

    dataset: Dataset
    rows: tuple[Row, ...]
    #: functions that were not looked at because there were enough
    unseen: int
    #: test files that could not be collected
    problems: tuple[str, ...]


def survey(snapshot: Snapshot, wish: Wish) -> Survey:
    """Have the repository's tests run. Raises CrucibleError when they cannot be."""
    digest = open_store(current().artifacts_url).put(snapshot.archive)
    request = SurveyRequest(digest, wish.packages, wish.language)
    found = send_and_wait(SURVEY, request, _SURVEY_SECONDS)
    if found.failure is not None:
        raise CrucibleError(found.failure, hint=found.hint)
    return found


def build(snapshot: Snapshot, found: Survey, wish: Wish, tell: Callable[[int, int], None]) -> Built:
    """Try one function after the other; `tell` hears how many of how many are done."""
    functions, unfit = dialect_of(wish.language).find_functions(snapshot)
    rows = [Row(each.path, each.name, each.reason) for each in unfit]
    candidates: list[Candidate] = []
    most = wish.mutants * _SPARE_MUTANTS
    packages, language = wish.packages, wish.language
    for each in find_candidates(snapshot, functions, found, packages, most, language):
        if isinstance(each, Candidate):
            candidates.append(each)
        else:
            rows.append(Row(each.function.path, each.function.qualified_name, each.reason))
    kept: list[Challenge] = []
    done = 0
    for done, (candidate, trial) in enumerate(_trials(snapshot, candidates, wish), 1):
        rows.append(_row(candidate, trial))
        if trial.flaw is None:
            kept.append(_challenge(candidate.challenge, trial))
        tell(done, len(candidates))
        if len(kept) == wish.limit:
            break
    dataset = create(wish.name, "crucible", kept, (snapshot.archive,))
    return Built(dataset, tuple(rows), len(candidates) - done, found.problems)


def joined(parts: Sequence[Built]) -> Built:
    """Those of several languages as one."""
    first, *others = parts
    challenges = [challenge for each in parts for challenge in each.dataset.challenges]
    archives = first.dataset.archives
    return Built(
        create(first.dataset.name, "crucible", challenges, archives) if others else first.dataset,
        tuple(row for each in parts for row in each.rows),
        sum(each.unseen for each in parts),
        tuple(problem for each in parts for problem in each.problems),
    )


def _trials(
    snapshot: Snapshot, candidates: list[Candidate], wish: Wish
) -> Iterator[tuple[Candidate, Trial]]:
    challenges = [candidate.challenge for candidate in candidates]
    everything = create(wish.name, "crucible", challenges, (snapshot.archive,))
    digest = open_store(current().artifacts_url).put(encode(everything))
    requests = (
        TrialRequest(
            dataset=digest,
            task_id=candidate.challenge.task_id,
            empty=candidate.function.empty,
            mutants=candidate.mutants,
            least_mutants=wish.mutants,
        )
        for candidate in candidates
    )
    answers = send_and_wait_for_each(TRIAL, requests, _TRIAL_SECONDS, wish.at_once)
    return zip(candidates, answers, strict=True)


def _row(candidate: Candidate, trial: Trial) -> Row:
    return Row(
        candidate.function.path,
        candidate.function.qualified_name,
        None if trial.flaw is None else str(trial.flaw),
        trial.detail,
        len(trial.tests),
        trial.killed,
        trial.tried,
    )


def _challenge(candidate: Challenge, trial: Trial) -> Challenge:
    assert isinstance(candidate.tests, RepositoryTests)
    tests = msgspec.structs.replace(candidate.tests, tests=trial.tests)
    return replace(candidate, tests=tests)

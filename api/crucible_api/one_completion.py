"""One completion: what was asked, what was answered, what was judged, and why it failed."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from sqlalchemy import Connection

from crucible_api import standing
from crucible_api.failing_assertion import Failure, failure_of
from crucible_api.grid import LETTERS
from crucible_api.reports import RunInfo
from crucible_api.runs import Runs
from crucible_infra.database.completions import CompletionRow, find_completions
from crucible_infra.database.run_search import runs_on
from crucible_infra.database.runs import (
    ChallengeRow,
    RunRow,
    challenges_of,
    find_run,
)
from crucible_infra.database.verdicts import VerdictRow, find_verdict, outcomes_of_challenge
from crucible_infra.errors import RunNotFound
from crucible_tasks.challenge import Challenge
from crucible_tasks.challenges import Dataset, decode
from crucible_tasks.completion import Finish, Form
from crucible_tasks.evaluation import Extraction
from crucible_tasks.extraction import extract
from crucible_tasks.verdict import Outcome

#: characters; taking a longer text apart takes seconds, for which nobody should wait
_LONGEST = 400_000

#: datasets kept as they were decoded
_KEPT = 4

#: other runs on the same challenges that are offered for a comparison
_OTHERS = 30

_datasets: OrderedDict[str, Dataset] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Said:
    """One part of what the model was sent."""

    #: "system", "user", "assistant"; None for a text to be continued
    role: str | None
    text: str


@dataclass(frozen=True, slots=True)
class OneCompletion:
    """Everything there is to see of one completion."""

    run: RunInfo
    challenge: Challenge
    index: int
    prompt: tuple[Said, ...]
    #: None while it was not sampled
    completion: CompletionRow | None
    #: None while it was not judged
    verdict: VerdictRow | None
    #: None without a completion, and for a text that is too long
    extraction: Extraction | None
    #: whether it is not what was judged, by another version's extractor
    is_other_program: bool
    #: of a failed one
    failure: Failure | None
    #: the outcomes of the challenge's completions, a letter each
    letters: str
    #: the challenges before and behind it
    previous: str | None
    following: str | None
    #: newest first, without this one
    others: tuple[RunInfo, ...]

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        return Outcome.MISSING if self.verdict is None else Outcome(self.verdict.outcome)


def one_completion(runs: Runs, run_id: str, task_id: str, index: int = 0) -> OneCompletion:
    """One completion of a run. Raises RunNotFound when the run plans none like it."""
    with runs.database.reading() as connection:
        run = _run(connection, run_id)
        challenges = challenges_of(connection, run_id)
        place = _place(challenges, run_id, task_id)
        row = challenges[place]
        if not 0 <= index < row.planned:
            raise RunNotFound(
                f"run {run_id} has completions 0 to {row.planned - 1} of {task_id}, not {index}"
            )
        challenge = dataset_of(runs, run).by_id(task_id)
        found = next(iter(find_completions(connection, run_id, task_id, [index])), None)
        verdict = find_verdict(connection, run, task_id, index)
        extraction = None if found is None else extracted(found, challenge)
        return OneCompletion(
            run=standing.run_info(run, len(challenges)),
            challenge=challenge,
            index=index,
            prompt=_prompt(row, challenge),
            completion=found,
            verdict=verdict,
            extraction=extraction,
            is_other_program=_is_other(extraction, verdict),
            failure=_failure(verdict, challenge),
            letters=_letters(connection, run, row),
            previous=challenges[place - 1].task_id if place else None,
            following=challenges[place + 1].task_id if place + 1 < len(challenges) else None,
            others=_others(connection, run),
        )


def raw_text(runs: Runs, run_id: str, task_id: str, index: int) -> str:
    """The raw text of one completion. Raises RunNotFound when there is none."""
    with runs.database.reading() as connection:
        for found in find_completions(connection, run_id, task_id, [index]):
            return found.text
    raise RunNotFound(f"run {run_id} has no completion {index} of {task_id}")


def extracted(completion: CompletionRow, challenge: Challenge) -> Extraction | None:
    """The program of a completion; None where its text is too long to look for it."""
    if len(completion.text) > _LONGEST:
        return None
    return extract(completion.text, Form(completion.form), challenge, Finish(completion.finish))


def dataset_of(runs: Runs, run: RunRow) -> Dataset:
    """The challenges of a run, as they were stored with it. Raises StorageError."""
    digest = run.dataset_artifact
    known = _datasets.get(digest)
    if known is None:
        known = decode(runs.artifacts.get(digest))
        while len(_datasets) >= _KEPT:
            _datasets.popitem(last=False)
        _datasets[digest] = known
    return known


def _run(connection: Connection, run_id: str) -> RunRow:
    run = find_run(connection, run_id)
    if run is None:
        raise RunNotFound(f"no run is called {run_id}", hint="crucible runs list")
    return run


def _place(challenges: tuple[ChallengeRow, ...], run_id: str, task_id: str) -> int:
    for place, row in enumerate(challenges):
        if row.task_id == task_id:
            return place
    raise RunNotFound(f"run {run_id} has no challenge {task_id}")


def _prompt(row: ChallengeRow, challenge: Challenge) -> tuple[Said, ...]:
    sent = row.prompt
    if sent is None:
        return (Said(None, challenge.prompt),)
    if sent.get("text") is not None:
        return (Said(None, sent["text"]),)
    return tuple(Said(one["role"], one["content"]) for one in sent.get("messages", ()))


def _is_other(extraction: Extraction | None, verdict: VerdictRow | None) -> bool:
    if extraction is None or verdict is None or extraction.program is None:
        return False
    # half a surrogate pair has no UTF-8
    program = extraction.program.encode("utf-8", "surrogatepass")
    return hashlib.sha256(program).hexdigest() != verdict.program_digest


def _failure(verdict: VerdictRow | None, challenge: Challenge) -> Failure | None:
    if verdict is None or verdict.outcome != Outcome.FAILED:
        return None
    return failure_of(verdict.detail, challenge)


def _letters(connection: Connection, run: RunRow, row: ChallengeRow) -> str:
    found = outcomes_of_challenge(connection, run, row.task_id)
    return "".join(LETTERS[Outcome(found.get(one, "missing"))] for one in range(row.planned))


def _others(connection: Connection, run: RunRow) -> tuple[RunInfo, ...]:
    rows = runs_on(connection, run.dataset_digest, _OTHERS + 1)
    return tuple(standing.run_info(one, 0) for one in rows if one.id != run.id)[:_OTHERS]

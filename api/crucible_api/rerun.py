"""Run again: an edited program put to a challenge's tests, for whoever wants to know why it failed.

It goes the way every program goes, through the contract of judging, under the run's limits. The
answer is shown and stored nowhere: no score knows of it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from crucible_api.failing_assertion import Failure, failure_of
from crucible_api.one_completion import dataset_of
from crucible_api.runs import Runs
from crucible_api.sandbox_work import ask_sandbox
from crucible_infra.database.runs import find_run
from crucible_infra.errors import InvalidInput, RunNotFound, SandboxUnavailable
from crucible_tasks.challenge import Limits
from crucible_tasks.completion import Completion, Form
from crucible_tasks.evaluation import JUDGING, EvaluationRequest
from crucible_tasks.verdict import Outcome, Verdict

#: bytes of a program
LONGEST = 256 * 1024

#: programs judged at once for whoever looks at pages; runs must go on beside them
_AT_ONCE = 2

#: seconds that one more waits for its turn
_PATIENCE_SECONDS = 20.0

_turns = threading.BoundedSemaphore(_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Rerun:
    """What the sandbox found about an edited program."""

    program: str
    verdict: Verdict
    #: of a failed one
    failure: Failure | None
    isolation: str | None


def judge_again(runs: Runs, run_id: str, task_id: str, program: str) -> Rerun:
    """Put a program to the tests of a run's challenge, and wait for the verdict.

    Raises InvalidInput for one that is too long, RunNotFound, NoWorker or BrokerUnavailable where
    nobody judges, SandboxUnavailable where nobody can.
    """
    # half a surrogate pair has no UTF-8, and is a syntax error of its program
    if len(program.encode("utf-8", "surrogatepass")) > LONGEST:
        raise InvalidInput(f"a program has at most {LONGEST // 1024} KiB here")
    with runs.database.reading() as connection:
        run = find_run(connection, run_id)
    if run is None:
        raise RunNotFound(f"no run is called {run_id}", hint="crucible runs list")
    challenge = dataset_of(runs, run).by_id(task_id)
    request = EvaluationRequest(
        "",
        run.dataset_artifact,
        task_id,
        (Completion(0, Form.SOLUTION, program),),
        None if run.limits is None else msgspec.convert(run.limits, Limits),
    )
    with _turn():
        found = ask_sandbox(JUDGING, request)
    if not found.judgements or found.judgements[0].verdict.outcome.is_ours:
        raise SandboxUnavailable(
            f"the program cannot be judged: {found.failure or 'the sandbox gave no verdict'}",
            hint="crucible doctor says what is missing on the host",
        )
    verdict = found.judgements[0].verdict
    is_failed = verdict.outcome is Outcome.FAILED
    failure = failure_of(verdict.detail, challenge) if is_failed else None
    return Rerun(program, verdict, failure, found.isolation)


@contextmanager
def _turn() -> Iterator[None]:
    if not _turns.acquire(timeout=_PATIENCE_SECONDS):
        raise SandboxUnavailable(
            f"{_AT_ONCE} other programs are being run again", hint="try it in a moment"
        )
    try:
        yield
    finally:
        _turns.release()

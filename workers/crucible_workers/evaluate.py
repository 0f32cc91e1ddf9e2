"""Implements the contract of evaluation: extract programs, judge them, send the verdicts on."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import Counter
from collections.abc import Collection, Hashable, Iterable
from contextlib import closing

from celery import signals
from celery.exceptions import Reject

from crucible_infra import log, settings
from crucible_infra.errors import CrucibleError
from crucible_tasks import holdings
from crucible_tasks.control import STORE_VERDICTS
from crucible_tasks.evaluation import (
    EVALUATION,
    JUDGING,
    Evaluation,
    EvaluationRequest,
    Judgement,
)
from crucible_tasks.extraction import extract
from crucible_tasks.planning import grader_label
from crucible_tasks.sending import send
from crucible_tasks.verdict import Outcome, Verdict
from crucible_workers.custody import Custody
from crucible_workers.datasets import load_dataset
from crucible_workers.drain import drain
from crucible_workers.sandbox import open_sandbox
from crucible_workers.sandbox.slots import SlotSandbox
from crucible_workers.verdict_cache import Question, Recollection, shared_memory

_NO_CODE = Verdict(Outcome.NO_CODE, "the answer holds no code")

#: what a worker that is asked to stop gives its last verdicts; Kubernetes waits 30 s
_FLUSH_SECONDS = 10.0

_lock = threading.Lock()
_sandboxes: dict[str, SlotSandbox] = {}
_custody: Custody | None = None


@EVALUATION.implement
def evaluate(request: EvaluationRequest) -> Evaluation:
    """Judge what is asked for; the controller gets the verdicts when canaries vouch for them.

    Raises Reject on a sick host of a cluster, so that another one gets the request.
    """
    custody = shared_custody()
    doubts = custody.doubts
    if custody.sickness is not None and not settings.current().is_embedded:
        raise Reject(custody.sickness.message, requeue=True)
    recollection = Recollection(shared_memory(), is_afresh=request.is_afresh)
    evaluation = _evaluate(request, recollection)
    # it is acknowledged when this returns
    holdings.retain(_identity(evaluation))
    custody.keep(evaluation, doubts, recollection.publish)
    return evaluation


@JUDGING.implement
def judge(request: EvaluationRequest) -> Evaluation:
    """Judge what somebody waits for; remembered verdicts count, and new ones are not shared."""
    return _evaluate(request, Recollection(shared_memory(), is_afresh=request.is_afresh))


def shared_sandbox() -> SlotSandbox:
    """This process' sandbox, one slot per core; its prisons end with the process."""
    backend = settings.current().sandbox_backend
    with _lock:
        if backend not in _sandboxes:
            _sandboxes[backend] = open_sandbox(backend, os.cpu_count() or 1)
        return _sandboxes[backend]


def shared_custody() -> Custody:
    """Where the verdicts of this process' sandbox wait for its canaries."""
    global _custody  # noqa: PLW0603 -- one for the process, as its sandbox
    sandbox = shared_sandbox()
    with _lock:
        if _custody is None or _custody.sandbox is not sandbox:
            _custody = Custody(sandbox, os.cpu_count() or 1, _send, drain)
        return _custody


@signals.worker_shutting_down.connect
def _hurry(**_: object) -> None:
    # a cold stop ends with the last task, a warm one waits in the next function
    if _custody is not None:
        _custody.flush(0)


@signals.worker_shutdown.connect
def _flush(**_: object) -> None:
    # an interrupted command does not wait: its run judges them again when it is resumed
    if _custody is not None and not settings.current().is_embedded:
        _custody.flush(_FLUSH_SECONDS)


def _send(evaluation: Evaluation) -> None:
    send(STORE_VERDICTS.signature(evaluation))
    holdings.release(_identity(evaluation))


def _identity(evaluation: Evaluation) -> Hashable:
    return evaluation.run_id, evaluation.task_id, evaluation.attempt, evaluation.indices


def _evaluate(request: EvaluationRequest, recollection: Recollection) -> Evaluation:
    judgements: list[Judgement] = []
    failure = None
    try:
        _judge(request, judgements, recollection)
    except CrucibleError as error:
        failure = error.message
        log.warning("evaluation_failed", task=request.task_id, problem=failure)
    return Evaluation(
        run_id=request.run_id,
        task_id=request.task_id,
        grader=grader_label(),
        judgements=tuple(judgements),
        failure=failure,
        indices=tuple(completion.index for completion in request.completions),
        attempt=request.attempt,
        isolation=settings.current().sandbox_backend,
    )


def _judge(
    request: EvaluationRequest, judgements: list[Judgement], recollection: Recollection
) -> None:
    """Fill in judgements one by one, so that a failure keeps what was found before it."""
    challenge = load_dataset(request.dataset).by_id(request.task_id)
    extractions = [
        extract(completion.text, completion.form, challenge, completion.finish)
        for completion in request.completions
    ]
    counted = Counter(one.program for one in extractions if one.program is not None)
    recollection.recall(Question(challenge, request.dataset, request.limits), counted)
    lucky = {one for one, count in counted.items() if count > 1 and recollection.is_lucky(one)}
    verdicts: dict[str | None, Verdict] = {None: _NO_CODE}
    verdicts.update(recollection.found)
    unknown = _unknown([one.program for one in extractions], lucky, verdicts)
    log.debug("judging", task=request.task_id, programs=len(unknown), known=len(verdicts) - 1)
    with closing(shared_custody().judge(challenge, unknown, request.limits)) as judging:
        for completion, extraction in zip(request.completions, extractions, strict=True):
            program = extraction.program
            verdict = verdicts.get(program)
            if program is not None and verdict is None:
                # in this very order
                verdict = next(judging)
                recollection.learn(program, verdict)
                if program not in lucky:
                    verdicts[program] = verdict
            assert verdict is not None
            digest = _digest(program)
            judgements.append(Judgement(completion.index, verdict, extraction.method, digest))


def _unknown(
    programs: Iterable[str | None], lucky: Collection[str], known: Collection[str | None]
) -> list[str]:
    """What must be judged: each program once, but one that luck decides as often as it is there."""
    settled = set(known)
    wanted: list[str] = []
    for program in programs:
        if program is not None and program not in settled:
            wanted.append(program)
            if program not in lucky:
                settled.add(program)
    return wanted


def _digest(program: str | None) -> str | None:
    if program is None:
        return None
    return hashlib.sha256(program.encode(errors="surrogatepass")).hexdigest()

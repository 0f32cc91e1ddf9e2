"""Between rows and messages: what the controller stores, and what it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from crucible_infra.database.attempts import Asked, AttemptRow
from crucible_infra.database.completions import CompletionRow
from crucible_infra.database.draws import DrawRow
from crucible_infra.database.runs import ChallengeRow, RunRow
from crucible_infra.database.verdicts import VerdictRow
from crucible_tasks.challenge import Limits
from crucible_tasks.completion import Completion, Finish, Form
from crucible_tasks.evaluation import EVALUATION, Evaluation, EvaluationRequest, Judgement
from crucible_tasks.generation import GENERATION, GenerationRequest, Prompt
from crucible_tasks.redis_transport import AHEAD
from crucible_tasks.sampling import Sampling
from crucible_workers.control_attempts import Problem
from crucible_workers.control_schedule import Grant

if TYPE_CHECKING:
    from celery.canvas import Signature


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message, and the attempt that holds its lease."""

    attempt: AttemptRow
    asked: Asked
    message: Signature


def in_order(grant: Grant, outgoing: list[Outgoing]) -> list[Outgoing]:
    """The messages of a grant, the first of them ahead of its queue where that is granted."""
    if grant.goes_ahead:
        for one in outgoing[:1]:
            one.message.set(priority=AHEAD)
    return outgoing


def completion_row(run_id: str, task_id: str, one: Completion) -> CompletionRow:
    """What is stored of a completion."""
    return CompletionRow(
        run_id,
        task_id,
        one.index,
        str(one.form),
        one.text,
        one.seed,
        str(one.finish),
        one.prompt_tokens,
        one.completion_tokens,
        one.seconds,
        joules=one.joules,
    )


def draw_rows(run_id: str, task_id: str, one: Completion) -> list[DrawRow]:
    """What is stored of a router's way to a completion."""
    return [
        DrawRow(
            run_id,
            task_id,
            one.index,
            place,
            draw.member,
            str(draw.form),
            draw.text,
            str(draw.finish),
            draw.prompt_tokens,
            draw.completion_tokens,
            draw.seconds,
            list(draw.signals),
            draw.joules,
        )
        for place, draw in enumerate(one.draws)
    ]


def verdict_row(run: RunRow, evaluation: Evaluation, one: Judgement) -> VerdictRow:
    """What is stored of a verdict."""
    verdict = one.verdict
    return VerdictRow(
        run.id,
        evaluation.task_id,
        one.index,
        evaluation.grader,
        # another grader's verdict belongs to no round of this run
        run.grade_round if evaluation.grader == run.grader else 0,
        str(verdict.outcome),
        verdict.detail,
        verdict.cpu_seconds,
        verdict.wall_seconds,
        str(verdict.mode),
        one.extraction,
        one.program_digest,
        evaluation.isolation,
    )


def evaluation_problem(run: RunRow, evaluation: Evaluation) -> Problem | None:
    """Why verdicts are missing from an evaluation; None when it is whole."""
    reason = evaluation.failure
    if reason is None and evaluation.grader != run.grader:
        reason = f"judged by {evaluation.grader}, wanted {run.grader}: another version's worker"
    if reason is None:
        ours = (one.verdict for one in evaluation.judgements if one.verdict.outcome.is_ours)
        reason = next((verdict.detail or str(verdict.outcome) for verdict in ours), None)
    if reason is None:
        return None
    return Problem(reason, is_transient=evaluation.is_transient, attempt=evaluation.attempt)


def generation_message(
    run: RunRow,
    challenge: ChallengeRow,
    attempt: AttemptRow,
    indices: tuple[int, ...],
    ticket: int,
) -> Outgoing:
    """Ask for these completions."""
    assert run.sampling is not None
    request = GenerationRequest(
        run_id=run.id,
        dataset=run.dataset_artifact,
        task_id=challenge.task_id,
        model=run.source,
        prompt=msgspec.convert(challenge.prompt, Prompt),
        sampling=msgspec.convert(run.sampling, Sampling),
        seed_base=challenge.seed_base,
        indices=indices,
        attempt=ticket,
    )
    asked = Asked(attempt.failures, indices)
    return Outgoing(attempt, asked, GENERATION.signature(request))


def evaluation_message(
    run: RunRow, attempt: AttemptRow, rows: Sequence[CompletionRow], ticket: int
) -> Outgoing:
    """Ask for the verdicts on these completions of one challenge."""
    request = EvaluationRequest(
        run_id=run.id,
        dataset=run.dataset_artifact,
        task_id=attempt.task_id,
        completions=tuple(_completion(row) for row in rows),
        limits=None if run.limits is None else msgspec.convert(run.limits, Limits),
        attempt=ticket,
        is_afresh=run.grade_round > 0,
    )
    asked = Asked(attempt.failures, tuple(row.index for row in rows))
    return Outgoing(attempt, asked, EVALUATION.signature(request))


def _completion(row: CompletionRow) -> Completion:
    return Completion(
        row.index,
        Form(row.form),
        row.text,
        row.seed,
        Finish(row.finish),
        row.prompt_tokens,
        row.completion_tokens,
        row.seconds,
        joules=row.joules,
    )

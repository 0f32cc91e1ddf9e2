"""Rows for a run that is about to be planned, from what the user asked for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from crucible_api.manifest import Asked, make_manifest
from crucible_infra.database.completions import CompletionRow
from crucible_infra.database.runs import ChallengeRow, RunRow
from crucible_infra.errors import FormatError, InvalidInput
from crucible_tasks.planning import (
    MESSAGE_COMPLETIONS,
    BenchmarkPlan,
    EvaluationPlan,
    ImportedCompletion,
    PlannedChallenge,
    RunKind,
    RunState,
    completions_per_message,
    grader_label,
    new_id,
    planned_challenges,
)
from crucible_tasks.registered import Registered


@dataclass(frozen=True, slots=True)
class PlannedRows:
    """A run, its challenges, and the completions it begins with."""

    run: RunRow
    challenges: tuple[ChallengeRow, ...]
    completions: tuple[CompletionRow, ...] = ()


def benchmark_rows(
    plan: BenchmarkPlan, artifact: str, owner: str | None, made: Registered | None = None
) -> PlannedRows:
    """The rows of a run that samples; see `owner` for whose it is, `provenance` for `made`."""
    now = time.time()
    challenges = planned_challenges(plan)
    run = RunRow(
        id=new_id(now),
        sweep_id=plan.sweep_id,
        kind=RunKind.BENCHMARK,
        state=RunState.PLANNED,
        source=plan.model.spec,
        dataset=plan.dataset.name,
        dataset_digest=plan.dataset.digest,
        dataset_artifact=artifact,
        n=plan.n,
        ks=list(plan.ks),
        seed=plan.seed,
        sampling=msgspec.to_builtins(plan.sampling),
        limits=msgspec.to_builtins(plan.limits),
        batch=completions_per_message(plan.model),
        grader=grader_label(),
        grade_round=0,
        manifest=make_manifest(
            plan.dataset,
            plan.limits,
            challenges=len(challenges),
            asked=Asked(plan.model, plan.sampling, plan.seed, plan.n, plan.wording, made),
        ),
        created_at=now,
        owner=owner,
        priority=plan.priority,
    )
    return PlannedRows(run, _challenge_rows(run.id, challenges))


def evaluation_rows(plan: EvaluationPlan, artifact: str, owner: str | None) -> PlannedRows:
    """The rows of a run whose completions are there already.

    Only the challenges the file answers are part of it, as with a limit. Raises InvalidInput when
    there are no completions, FormatError for a challenge the dataset does not have.
    """
    counts = Counter(completion.task_id for completion in plan.completions)
    _check(plan, counts)
    challenges = tuple(
        PlannedChallenge(challenge.task_id, counts[challenge.task_id])
        for challenge in plan.dataset.challenges
        if challenge.task_id in counts
    )
    now = time.time()
    run = RunRow(
        id=new_id(now),
        sweep_id=None,
        kind=RunKind.EVALUATION,
        state=RunState.PLANNED,
        source=plan.source,
        dataset=plan.dataset.name,
        dataset_digest=plan.dataset.digest,
        dataset_artifact=artifact,
        n=max(counts.values()),
        ks=list(plan.ks),
        seed=0,
        sampling=None,
        limits=msgspec.to_builtins(plan.limits),
        batch=MESSAGE_COMPLETIONS,
        grader=grader_label(),
        grade_round=0,
        manifest=make_manifest(
            plan.dataset, plan.limits, challenges=len(challenges), source=plan.source
        ),
        created_at=now,
        owner=owner,
    )
    rows = tuple(_completion_rows(run.id, plan.completions))
    return PlannedRows(run, _challenge_rows(run.id, challenges), rows)


def _check(plan: EvaluationPlan, counts: Counter[str]) -> None:
    if not plan.completions:
        raise InvalidInput(f"{plan.source}: no completions")
    known = plan.dataset.challenges
    unknown = counts.keys() - {challenge.task_id for challenge in known}
    if unknown:
        first = next(one for one in plan.completions if one.task_id in unknown)
        problem = f"{plan.dataset.name} has no challenge {first.task_id!r}"
        error = FormatError.at(plan.source, first.line or None, problem)
        error.hint = f"its ids look like {known[0].task_id!r}; --dataset chooses another"
        raise error


def _challenge_rows(
    run_id: str, challenges: Sequence[PlannedChallenge]
) -> tuple[ChallengeRow, ...]:
    return tuple(
        ChallengeRow(
            run_id,
            challenge.task_id,
            position,
            challenge.planned,
            msgspec.to_builtins(challenge.prompt),
            challenge.seed_base,
        )
        for position, challenge in enumerate(challenges)
    )


def _completion_rows(
    run_id: str, completions: Sequence[ImportedCompletion]
) -> Iterator[CompletionRow]:
    seen: Counter[str] = Counter()
    for position, one in enumerate(completions, start=1):
        yield CompletionRow(
            run_id,
            one.task_id,
            index=seen[one.task_id],
            form=one.form,
            text=one.text,
            seed=None,
            finish=one.finish,
            prompt_tokens=None,
            completion_tokens=None,
            seconds=None,
            # a directory has no lines, but an order
            line=one.line or position,
        )
        seen[one.task_id] += 1

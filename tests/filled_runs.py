"""Runs written straight into a database, as if they had been sampled and judged."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from crucible_api.planned_rows import PlannedRows, benchmark_rows
from crucible_infra.artifacts import ArtifactStore
from crucible_infra.database import Database
from crucible_infra.database.attempts import AttemptRow, store_attempts
from crucible_infra.database.completions import CompletionRow, insert_completions
from crucible_infra.database.draws import DrawRow, insert_draws
from crucible_infra.database.runs import ChallengeRow, RunRow, insert_run
from crucible_infra.database.verdicts import VerdictRow, insert_verdicts
from crucible_infra.stage import Stage
from crucible_tasks.challenge import Challenge
from crucible_tasks.challenges import encode
from crucible_tasks.planning import BenchmarkPlan, RunState, new_id
from crucible_tasks.registered import Registered
from crucible_tasks.router import Signal, router_in
from crucible_workers.control_scores import write_scores
from filled_answers import OUTCOMES, Judged, judged, of_outcome

#: rows written at once
_BATCH = 5000

_SETTLED = (RunState.FINISHED, RunState.INCOMPLETE)


@dataclass(frozen=True, slots=True)
class Sketch:
    """A run to be written."""

    plan: BenchmarkPlan
    #: share of middling challenges its model passes
    skill: float
    #: seconds since the epoch
    created_at: float
    state: RunState = RunState.FINISHED
    #: share of the challenges that have completions, and verdicts
    generated: float = 1.0
    judged: float = 1.0
    #: of one completion
    tokens: int = 120
    seconds: float = 1.5
    joules: float | None = None
    owner: str | None = None
    made: Registered | None = None
    #: whether what is missing is given up, with a reason
    has_gaps: bool = False
    #: whether its first challenge has every outcome there is
    has_every_outcome: bool = False
    #: what takes the place of each answer, and of its verdict's detail
    said: Callable[[], str] | None = None


def write_run(database: Database, artifacts: ArtifactStore, sketch: Sketch, seed: int) -> str:
    """Write a run with all its rows; returns its id."""
    plan = sketch.plan
    rng = random.Random(f"{seed} {plan.model.spec} {plan.dataset.name} {sketch.created_at}")
    rows = _planned(artifacts, sketch, rng)
    run = rows.run
    with database.writing() as connection:
        insert_run(connection, run, rows.challenges)
        for completions, verdicts in _batches(sketch, rows, rng):
            insert_completions(connection, completions)
            insert_verdicts(connection, verdicts)
            _write_draws(connection, run, completions, rng)
        store_attempts(connection, _gaps(sketch, run, rows.challenges))
        if sketch.state in _SETTLED:
            write_scores(connection, run)
    return run.id


def made_id(moment: float, rng: random.Random) -> str:
    """An id as of that time, its end a matter of the seed."""
    return new_id(moment)[:-4] + "".join(rng.choices("abcdefghjkmnpqrstuvwxyz23456789", k=4))


def _planned(artifacts: ArtifactStore, sketch: Sketch, rng: random.Random) -> PlannedRows:
    artifact = artifacts.put(encode(sketch.plan.dataset))
    rows = benchmark_rows(sketch.plan, artifact, sketch.owner, sketch.made)
    run_id = made_id(sketch.created_at, rng)
    started = sketch.created_at + 2
    worked = sketch.seconds * len(rows.challenges) * sketch.plan.n / 4
    is_begun = sketch.state is not RunState.PLANNED
    run = replace(
        rows.run,
        id=run_id,
        state=sketch.state,
        created_at=sketch.created_at,
        started_at=started if is_begun else None,
        heard_at=started + worked if is_begun and sketch.generated else None,
        finished_at=started + worked if sketch.state in _SETTLED else None,
    )
    return PlannedRows(run, tuple(replace(one, run_id=run_id) for one in rows.challenges))


def _batches(
    sketch: Sketch, rows: PlannedRows, rng: random.Random
) -> Iterator[tuple[list[CompletionRow], list[VerdictRow]]]:
    completions: list[CompletionRow] = []
    verdicts: list[VerdictRow] = []
    reached = round(sketch.generated * len(rows.challenges))
    with_verdicts = round(sketch.judged * len(rows.challenges))
    for place, row in enumerate(rows.challenges[:reached]):
        challenge = sketch.plan.dataset.by_id(row.task_id)
        for index in range(row.planned):
            found = _judged(sketch, challenge, place, index, rng)
            completions.append(_completion(sketch, row, index, found, rng))
            if place < with_verdicts:
                verdicts.append(_verdict(rows.run, row.task_id, index, found))
        if len(completions) >= _BATCH:
            yield completions, verdicts
            completions, verdicts = [], []
    yield completions, verdicts


def _judged(
    sketch: Sketch, challenge: Challenge, place: int, index: int, rng: random.Random
) -> Judged:
    style = sketch.plan.model.style
    if sketch.has_every_outcome and place == 0:
        return of_outcome(challenge, OUTCOMES[index % len(OUTCOMES)], style, rng)
    found = judged(challenge, sketch.skill, style, rng)
    if sketch.said is None:
        return found
    text = sketch.said()
    # as much as the sandbox keeps
    return replace(found, text=text, detail=text[:300])


def _completion(
    sketch: Sketch, row: ChallengeRow, index: int, found: Judged, rng: random.Random
) -> CompletionRow:
    share = rng.uniform(0.5, 1.5)
    return CompletionRow(
        run_id=row.run_id,
        task_id=row.task_id,
        index=index,
        form=found.form,
        text=found.text,
        seed=row.seed_base + 1 + index,
        finish=found.finish,
        prompt_tokens=80,
        completion_tokens=round(sketch.tokens * share),
        seconds=round(sketch.seconds * share, 3),
        joules=None if sketch.joules is None else round(sketch.joules * share, 3),
    )


def _verdict(run: RunRow, task_id: str, index: int, found: Judged) -> VerdictRow:
    return VerdictRow(
        run_id=run.id,
        task_id=task_id,
        index=index,
        grader=run.grader,
        grade_round=run.grade_round,
        outcome=found.outcome,
        detail=found.detail,
        cpu_seconds=found.cpu_seconds,
        wall_seconds=found.wall_seconds,
        mode="split",
        extraction=found.extraction,
        program_digest=found.program_digest,
        isolation="namespaces",
    )


def _write_draws(
    connection: Connection, run: RunRow, completions: Sequence[CompletionRow], rng: random.Random
) -> None:
    """What a router's members answered; every third answer took a second draw."""
    if router_in(run.source) is None:
        return
    for one in completions:
        kept = DrawRow(
            run.id,
            one.task_id,
            one.index,
            draw=0,
            member=0,
            form=one.form,
            text=None,
            finish=one.finish,
            prompt_tokens=one.prompt_tokens,
            completion_tokens=one.completion_tokens,
            seconds=one.seconds,
            signals=[],
            joules=one.joules,
        )
        drawn = [kept]
        if rng.random() < 1 / 3:
            refused = replace(kept, text="I would say", signals=[Signal.NO_CODE.value])
            drawn = [refused, replace(kept, draw=1, member=1)]
        insert_draws(connection, drawn)


def _gaps(sketch: Sketch, run: RunRow, challenges: Sequence[ChallengeRow]) -> Iterator[AttemptRow]:
    if not sketch.has_gaps:
        return
    reached = round(sketch.generated * len(challenges))
    with_verdicts = round(sketch.judged * len(challenges))
    for row in challenges[with_verdicts:reached]:
        reason = "the sandbox of host gpu-3 failed a harmless program"
        yield AttemptRow(run.id, row.task_id, Stage.EVALUATION, 3, False, reason, None)
    for row in challenges[reached:]:
        reason = "http://gpu-3:11434: 503 Service Unavailable, three times"
        yield AttemptRow(run.id, row.task_id, Stage.GENERATION, 3, False, reason, None)

"""How a run stands, read from the database's rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator

from sqlalchemy import Connection

from crucible_api.manifest import caution_of, prompt_of
from crucible_api.reports import Gap, OutcomeCount, Progress, RunInfo, RunSummary, VerdictRow
from crucible_infra.database.attempts import AttemptRow, failures_of, given_up_stages
from crucible_infra.database.counts import (
    challenge_counts,
    graded_counts,
    outcome_counts,
    run_count,
    text_count,
)
from crucible_infra.database.runs import RunRow
from crucible_infra.database.scores import ScoreRow, scores_of
from crucible_infra.database.verdicts import JudgedRow, each_judged, isolations_of
from crucible_infra.owner import has_ended
from crucible_infra.stage import Stage
from crucible_tasks.planning import RunKind, RunState
from crucible_tasks.quality import Quality
from crucible_tasks.registered import registered_in
from crucible_tasks.scores import Counts, Score, score
from crucible_tasks.verdict import Mode, Outcome

_SETTLED = (RunState.FINISHED, RunState.INCOMPLETE)


def run_info(run: RunRow, challenges: int) -> RunInfo:
    """One line about a run."""
    return RunInfo(
        id=run.id,
        kind=RunKind(run.kind),
        state=state_of(run),
        model=run.source,
        dataset=run.dataset,
        challenges=challenges,
        n=run.n,
        ks=tuple(run.ks),
        seed=run.seed,
        temperature=None if run.sampling is None else run.sampling["temperature"],
        grader=run.grader,
        created_at=run.created_at,
        finished_at=run.finished_at,
        sweep_id=run.sweep_id,
        heard_at=run.heard_at,
        priority=run.priority,
        prompt=prompt_of(run.manifest),
        caution=caution_of(run.manifest),
        registered=registered_in(run.manifest),
    )


def state_of(run: RunRow) -> RunState:
    """Where a run stands; one whose process was killed says something else in its row."""
    is_open = run.state in (RunState.PLANNED, RunState.RUNNING)
    is_left = is_open and run.owner is not None and has_ended(run.owner)
    return RunState.INTERRUPTED if is_left else RunState(run.state)


def progress(connection: Connection, run: RunRow) -> Progress:
    """How far a run is."""
    count = run_count(connection, run.id)
    outcomes = outcome_counts(connection, run, Outcome)
    failures = failures_of(connection, run.id)
    return Progress(
        state=state_of(run),
        planned=count.planned,
        generated=count.generated,
        judged=sum(outcomes.values()),
        passed=outcomes.get(Outcome.PASSED, 0),
        outcomes=tuple(
            OutcomeCount(outcome, outcomes[outcome]) for outcome in Outcome if outcome in outcomes
        ),
        infra=_given_up(connection, run, failures),
        failures=_failures(failures),
        is_owned=run.owner is not None,
        gaps=_gaps(failures),
    )


def summary(connection: Connection, run: RunRow) -> RunSummary:
    """Everything worth knowing about a run at once."""
    found = progress(connection, run)
    challenges = run_count(connection, run.id).challenges
    isolation = _isolation(connection, run)
    return RunSummary(
        run=run_info(run, challenges),
        scores=scores(connection, run),
        quality=_quality(connection, run, found),
        progress=found,
        seconds=seconds_worked(run),
        manifest=run.manifest | {"isolation": isolation},
        isolation=isolation,
    )


def counts(connection: Connection, run: RunRow) -> tuple[Counts, ...]:
    """What scores are made of."""
    return tuple(
        Counts(count.task_id, count.judged, count.passed)
        for count in graded_counts(connection, run)
    )


def verdict_rows(connection: Connection, run: RunRow) -> Iterator[VerdictRow]:
    """Every completion with its verdict, or with whose fault it is that there is none."""
    return told_verdicts(connection, run, each_judged(connection, run))


def told_verdicts(
    connection: Connection, run: RunRow, rows: Iterable[JudgedRow]
) -> Iterator[VerdictRow]:
    """The same for some completions of the run."""
    given_up = {
        task_id
        for task_id, stage in given_up_stages(connection, run.id)
        if stage == Stage.EVALUATION
    }
    for row in rows:
        without = Outcome.INFRA_ERROR if row.task_id in given_up else Outcome.MISSING
        yield _verdict_row(row, without)


def _verdict_row(row: JudgedRow, without: Outcome) -> VerdictRow:
    outcome = without if row.outcome is None else Outcome(row.outcome)
    return VerdictRow(
        task_id=row.task_id,
        index=row.index,
        outcome=outcome,
        detail=row.detail or "",
        cpu_seconds=row.cpu_seconds or 0.0,
        wall_seconds=row.wall_seconds or 0.0,
        mode=None if row.mode is None else Mode(row.mode),
        passed=outcome is Outcome.PASSED,
        line=row.line,
        isolation=row.isolation,
    )


def _given_up(connection: Connection, run: RunRow, attempts: Iterable[AttemptRow]) -> int:
    """Completions without a verdict that nothing more will be sent for."""
    given_up = {(one.task_id, one.stage) for one in attempts if one.is_given_up}
    if not given_up:
        return 0
    total = 0
    for count in challenge_counts(connection, run):
        if (count.task_id, Stage.GENERATION) in given_up:
            total += count.planned - count.generated
        if (count.task_id, Stage.EVALUATION) in given_up:
            total += count.generated - count.judged
    return total


def _failures(attempts: Iterable[AttemptRow]) -> tuple[str, ...]:
    """Reasons with the challenge they hit, or how many; the most frequent first."""
    hit: dict[str, list[AttemptRow]] = {}
    for attempt in attempts:
        if attempt.reason:
            hit.setdefault(attempt.reason, []).append(attempt)
    ordered = sorted(hit.items(), key=lambda item: -len(item[1]))
    return tuple(
        f"{found[0].task_id}: {reason}" if len(found) == 1 else f"{len(found)} challenges: {reason}"
        for reason, found in ordered
    )


def _gaps(attempts: Iterable[AttemptRow]) -> tuple[Gap, ...]:
    """The same in full: what was given up first, then the most frequent."""
    hit: dict[tuple[bool, str, str], list[str]] = {}
    for attempt in attempts:
        key = (attempt.is_given_up, attempt.stage, attempt.reason or "no reason was told")
        hit.setdefault(key, []).append(attempt.task_id)
    ordered = sorted(hit.items(), key=lambda item: (not item[0][0], -len(item[1]), item[0]))
    return tuple(
        Gap(Stage(stage), reason, tuple(task_ids), is_given_up)
        for (is_given_up, stage, reason), task_ids in ordered
    )


def scores(connection: Connection, run: RunRow) -> tuple[Score, ...]:
    """pass@k at every k of the run; what is not known yet says why."""
    if run.state in _SETTLED:
        return tuple(stored_score(row) for row in scores_of(connection, run.id, run.grader))
    found = counts(connection, run)
    return tuple(score(found, k) for k in run.ks)


def stored_score(row: ScoreRow) -> Score:
    """A score as it was stored; what is null there is not known."""
    return Score(
        row.k,
        _number(row.value),
        _number(row.low),
        _number(row.high),
        row.challenges,
        row.reason,
    )


def _number(stored: float | None) -> float:
    return math.nan if stored is None else stored


def _quality(connection: Connection, run: RunRow, found: Progress) -> Quality:
    texts = text_count(connection, run.id)
    outcomes = Counter({item.outcome: item.count for item in found.outcomes})
    return Quality(
        extraction_failures=outcomes[Outcome.NO_CODE],
        truncations=texts.truncated,
        empty_answers=texts.empty,
        duplicates=texts.duplicates,
        timeouts=outcomes[Outcome.TIMED_OUT],
        infra_errors=found.infra,
        missing=found.planned - found.judged - found.infra,
        planned=found.planned,
        judged=found.judged,
        unanswered=_unanswered(connection, run),
        infra_reason=next(iter(found.failures), None),
    )


def _unanswered(connection: Connection, run: RunRow) -> int:
    """How many challenges a samples file leaves out; a benchmark has what was asked for."""
    if run.kind != RunKind.EVALUATION:
        return 0
    in_dataset: int = run.manifest["dataset"]["challenges"]
    return in_dataset - run_count(connection, run.id).challenges


def _isolation(connection: Connection, run: RunRow) -> str | None:
    """Every isolation a verdict of the run was made under; hosts of a cluster may differ."""
    found = isolations_of(connection, run)
    return " and ".join(sorted(one or "not recorded" for one in found)) or None


def seconds_worked(run: RunRow) -> float | None:
    """Seconds of all stints, each up to its last result; None when there was none."""
    if run.started_at is None:
        return None
    last = run.finished_at or run.heard_at
    if last is None:
        return run.seconds_before or None
    return run.seconds_before + max(0.0, last - run.started_at)

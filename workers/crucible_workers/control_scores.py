"""Turns a run's verdicts into its stored scores."""

from __future__ import annotations

import math

from sqlalchemy import Connection

from crucible_infra.database.counts import graded_counts, judged_count, run_count
from crucible_infra.database.runs import RunRow
from crucible_infra.database.scores import ScoreRow, store_scores
from crucible_tasks.scores import Counts, Score, score


def write_scores(connection: Connection, run: RunRow) -> bool:
    """Write every score of a run from its verdicts; return whether none is missing."""
    counts = tuple(
        Counts(count.task_id, count.judged, count.passed)
        for count in graded_counts(connection, run)
    )
    store_scores(connection, [_row(run, score(counts, k)) for k in run.ks])
    return judged_count(connection, run) == run_count(connection, run.id).planned


def _row(run: RunRow, found: Score) -> ScoreRow:
    return ScoreRow(
        run.id,
        run.grader,
        found.k,
        _stored(found.value),
        _stored(found.low),
        _stored(found.high),
        found.challenges,
        found.reason,
    )


def _stored(number: float) -> float | None:
    # SQLite turns NaN into NULL by itself; Postgres would keep it and sort it above every number
    return None if math.isnan(number) else number

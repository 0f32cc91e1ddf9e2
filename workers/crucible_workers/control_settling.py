"""Settling: end a run when nothing is missing that was not given up, or note what is."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from crucible_infra import log
from crucible_infra.database.attempts import (
    AttemptRow,
    attempts_of,
    has_waiting_or_unanswered,
    store_attempts,
)
from crucible_infra.database.counts import ChallengeStage, open_work
from crucible_infra.database.runs import RunRow, update_run
from crucible_tasks.planning import RunState
from crucible_workers.control_scores import write_scores


def settle(connection: Connection, run: RunRow, now: float) -> None:
    """Write the scores and end the run, unless something waits, is under way or is missing.

    Asked after every answer, so the whole run is counted only when the two small indexes of its
    attempts are empty; that is once, unless an answer was lost in a way nobody foresaw.
    """
    if run.state != RunState.RUNNING or has_waiting_or_unanswered(connection, run.id):
        return
    missing = open_work(connection, run)
    if missing:
        _note(connection, run, missing)
        return
    state = RunState.FINISHED if write_scores(connection, run) else RunState.INCOMPLETE
    update_run(connection, run.id, state=state, finished_at=now)
    log.info("run_settled", run=run.id, state=state)


def note_missing(connection: Connection, run: RunRow) -> None:
    """Let everything wait that the completions and verdicts say is missing."""
    _note(connection, run, open_work(connection, run))


def _note(connection: Connection, run: RunRow, missing: tuple[ChallengeStage, ...]) -> None:
    known = attempts_of(connection, run.id)
    blank = AttemptRow.blank
    rows = (
        known.get((one.task_id, one.stage)) or blank(run.id, one.task_id, one.stage)
        for one in missing
    )
    store_attempts(connection, [replace(row, is_waiting=True) for row in rows])

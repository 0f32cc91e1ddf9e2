"""What the end of an attempt changes in a fine-tune's row, and the row as it is then stored."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from crucible_infra.database.attempts import MAX_FAILURES
from crucible_infra.database.fine_tunes import update_fine_tune
from crucible_infra.fine_tune_rows import FineTuneRow
from crucible_tasks.fine_tuning import FineTuneState, TrainingFailure

#: the columns that the controller changes
_CHANGING = (
    "state",
    "attempt",
    "failures",
    "reason",
    "exit_code",
    "host",
    "checkpoints",
    "notes",
    "sent_at",
    "heard_at",
    "finished_at",
    "waits_for",
    "begun_at",
    "given_back",
    "gave_back_at",
)


def rested(row: FineTuneRow) -> FineTuneRow:
    """The row when no attempt is under way any more."""
    return replace(row, sent_at=None, begun_at=None, waits_for=None)


def failed(row: FineTuneRow, failure: TrainingFailure, now: float) -> FineTuneRow:
    """The row after an attempt that failed; too many of them, or one that cannot pass, end it."""
    row = replace(
        rested(row),
        failures=row.failures + 1,
        reason=failure.reason,
        exit_code=failure.exit_code,
    )
    is_over = not failure.is_transient or row.failures >= MAX_FAILURES
    if is_over and row.state == FineTuneState.RUNNING:
        row = replace(row, state=FineTuneState.FAILED, finished_at=now)
    return row


def write_row(connection: Connection, row: FineTuneRow) -> None:
    """Store what has changed."""
    update_fine_tune(connection, row.id, **{name: getattr(row, name) for name in _CHANGING})

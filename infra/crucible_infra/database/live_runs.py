"""The running runs, as far as sending more of their work goes."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, or_, select

from crucible_infra.database.attempts import IS_UNANSWERED, IS_WAITING, is_any
from crucible_infra.database.tables import attempts, runs
from crucible_infra.stage import Stage


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A running run and one stage of its work."""

    id: str
    sweep_id: str | None
    source: str
    priority: int
    #: since it was last started, resumed or regraded
    was_heard: bool
    #: whether there may be something to send
    is_waiting: bool
    #: under way
    messages: int


def live_runs(connection: Connection, stage: Stage) -> tuple[LiveRun, ...]:
    """Every running run, oldest first; a look at two small indexes for each of them."""
    waiting = (
        select(attempts.c.task_id)
        .where(attempts.c.run_id == runs.c.id, attempts.c.stage == stage, IS_WAITING)
        .order_by(attempts.c.task_id)
    )
    unanswered = (
        select(func.coalesce(func.sum(attempts.c.messages), 0))
        .where(attempts.c.run_id == runs.c.id, attempts.c.stage == stage, IS_UNANSWERED)
        .scalar_subquery()
    )
    was_heard = runs.c.heard_at.is_not(None) & or_(
        runs.c.started_at.is_(None), runs.c.heard_at >= runs.c.started_at
    )
    query = (
        select(
            runs.c.id,
            runs.c.sweep_id,
            runs.c.source,
            runs.c.priority,
            was_heard,
            is_any(waiting),
            unanswered,
        )
        .where(runs.c.state == "running")
        .order_by(runs.c.created_at, runs.c.id)
    )
    return tuple(LiveRun(*row) for row in connection.execute(query))

"""How much is done and missing in all live runs together, for whoever watches a cluster."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, select

from crucible_infra.database.tables import completions, run_challenges, runs, verdicts


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts over the database; missing ones are of runs in the live state only."""

    #: those states that occur
    runs_by_state: dict[str, int]
    missing_completions: int
    #: completions without a verdict under their run's grader and round
    missing_verdicts: int
    #: since the epoch, of the live run that was silent longest; None when none is live
    oldest_news: float | None


def totals(connection: Connection, live: str) -> Totals:
    """Count, and where possible from indexes alone; `live` is the state of runs under way.

    Takes about 1 s for every million completions of live runs, with Postgres on a busy core.
    """
    is_live = runs.c.state == live
    live_ids = select(runs.c.id).where(is_live)
    by_state = select(runs.c.state, func.count()).group_by(runs.c.state)
    planned = select(func.coalesce(func.sum(run_challenges.c.planned), 0)).where(
        run_challenges.c.run_id.in_(live_ids)
    )
    generated = select(func.count()).where(completions.c.run_id.in_(live_ids))
    of_its_round = and_(
        runs.c.id == verdicts.c.run_id,
        runs.c.grader == verdicts.c.grader,
        runs.c.grade_round == verdicts.c.grade_round,
    )
    judged = select(func.count()).select_from(verdicts.join(runs, of_its_round)).where(is_live)
    news = func.coalesce(runs.c.heard_at, runs.c.started_at, runs.c.created_at)
    there = connection.scalar(generated) or 0
    return Totals(
        runs_by_state={row[0]: row[1] for row in connection.execute(by_state)},
        missing_completions=(connection.scalar(planned) or 0) - there,
        missing_verdicts=there - (connection.scalar(judged) or 0),
        oldest_news=connection.scalar(select(func.min(news)).where(is_live)),
    )

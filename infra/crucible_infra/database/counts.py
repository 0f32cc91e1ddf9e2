"""How much of a run is done: derived from its rows by counting, never kept as a number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, case, func, select

from crucible_infra.database.attempts import given_up_stages
from crucible_infra.database.runs import RunRow
from crucible_infra.database.tables import completions, run_challenges, verdicts
from crucible_infra.database.verdicts import in_round
from crucible_infra.stage import Stage

#: what an empty answer may consist of
_BLANK = " \t\r\n"


@dataclass(frozen=True, slots=True)
class ChallengeCount:
    """How far one challenge is, in completions."""

    task_id: str
    planned: int
    generated: int
    judged: int

    @property
    def lacks_texts(self) -> bool:
        """Whether completions are missing."""
        return self.generated < self.planned

    @property
    def lacks_verdicts(self) -> bool:
        """Whether a completion has none."""
        return self.judged < self.generated


@dataclass(frozen=True, slots=True)
class ChallengeStage:
    """One challenge's generation or evaluation."""

    task_id: str
    stage: Stage


@dataclass(frozen=True, slots=True)
class GradedCount:
    """What a score is made of: the completions with a verdict, and those that passed."""

    task_id: str
    judged: int
    passed: int


@dataclass(frozen=True, slots=True)
class TextCount:
    """What the texts alone tell, in completions."""

    empty: int
    #: ended by the token limit
    truncated: int
    #: the same text as another completion of its challenge, the first of them not counted
    duplicates: int


@dataclass(frozen=True, slots=True)
class RunCount:
    """How far a run is, in completions."""

    challenges: int
    planned: int
    generated: int


def run_count(connection: Connection, run_id: str) -> RunCount:
    """Challenges, planned and stored completions of a run."""
    planned = select(func.count(), func.coalesce(func.sum(run_challenges.c.planned), 0)).where(
        run_challenges.c.run_id == run_id
    )
    generated = select(func.count()).where(completions.c.run_id == run_id)
    challenges, total = connection.execute(planned).one()
    return RunCount(challenges, total, connection.scalar(generated) or 0)


def challenge_totals(connection: Connection, run_ids: Sequence[str]) -> dict[str, int]:
    """How many challenges each of these runs has."""
    query = (
        select(run_challenges.c.run_id, func.count())
        .where(run_challenges.c.run_id.in_(run_ids))
        .group_by(run_challenges.c.run_id)
    )
    return _per_challenge(connection, query)


def text_count(connection: Connection, run_id: str) -> TextCount:
    """Empty, truncated and repeated completions of a run."""
    per_challenge = (
        select(
            func.sum(case((func.rtrim(completions.c.text, _BLANK) == "", 1), else_=0)).label("e"),
            func.sum(case((completions.c.finish == "length", 1), else_=0)).label("t"),
            (func.count() - func.count(completions.c.text.distinct())).label("d"),
        )
        .where(completions.c.run_id == run_id)
        .group_by(completions.c.task_id)
        .subquery()
    )
    columns = per_challenge.c
    row = connection.execute(
        select(
            *(func.coalesce(func.sum(column), 0) for column in (columns.e, columns.t, columns.d))
        )
    ).one()
    return TextCount(*(int(number) for number in row))


def judged_count(connection: Connection, run: RunRow) -> int:
    """Verdicts under the run's grader and round."""
    return connection.scalar(_judged(run)) or 0


def outcome_counts(connection: Connection, run: RunRow, outcomes: Iterable[str]) -> dict[str, int]:
    """The same by outcome, those that occur; read from an index alone.

    One count each instead of a GROUP BY: SQLite counts an index range three times as fast as it
    compares its rows, and progress is polled.
    """
    names = [str(outcome) for outcome in outcomes]
    counts = [_judged(run).where(verdicts.c.outcome == name).scalar_subquery() for name in names]
    row = connection.execute(select(*counts)).one()
    return {name: count for name, count in zip(names, row, strict=True) if count}


def _judged(run: RunRow) -> Select[Any]:
    return select(func.count()).where(
        verdicts.c.run_id == run.id,
        verdicts.c.grader == run.grader,
        verdicts.c.grade_round == run.grade_round,
    )


def challenge_counts(connection: Connection, run: RunRow) -> tuple[ChallengeCount, ...]:
    """How far each challenge is, in the dataset's order.

    Three plain queries instead of a join: right after a run has begun Postgres has no statistics
    on it yet, and joins of its counts can take a hundred times as long.
    """
    planned = select(run_challenges.c.task_id, run_challenges.c.planned).where(
        run_challenges.c.run_id == run.id
    )
    generated = _per_challenge(
        connection,
        select(completions.c.task_id, func.count())
        .where(completions.c.run_id == run.id)
        .group_by(completions.c.task_id),
    )
    judged = _per_challenge(
        connection,
        select(verdicts.c.task_id, func.count())
        .where(
            verdicts.c.run_id == run.id,
            verdicts.c.grader == run.grader,
            in_round(run),
        )
        .group_by(verdicts.c.task_id),
    )
    return tuple(
        ChallengeCount(name, wanted, generated.get(name, 0), judged.get(name, 0))
        for name, wanted in connection.execute(planned.order_by(run_challenges.c.position))
    )


def graded_counts(connection: Connection, run: RunRow) -> tuple[GradedCount, ...]:
    """What scores are made of, in the dataset's order.

    Verdicts of every round of the run's grader count: one label means interchangeable.
    """
    passed = func.sum(case((verdicts.c.outcome == "passed", 1), else_=0))
    query = (
        select(verdicts.c.task_id, func.count(), passed)
        .where(verdicts.c.run_id == run.id, verdicts.c.grader == run.grader)
        .group_by(verdicts.c.task_id)
    )
    found = {row[0]: GradedCount(*row) for row in connection.execute(query)}
    names = (
        select(run_challenges.c.task_id)
        .where(run_challenges.c.run_id == run.id)
        .order_by(run_challenges.c.position)
    )
    return tuple(found.get(name, GradedCount(name, 0, 0)) for name in connection.scalars(names))


def open_work(connection: Connection, run: RunRow) -> tuple[ChallengeStage, ...]:
    """The challenges and stages that lack something and are not given up; counts all of the run.

    Generation comes first, in the dataset's order.
    """
    given_up = given_up_stages(connection, run.id)
    counts = challenge_counts(connection, run)
    lacking = [ChallengeStage(one.task_id, Stage.GENERATION) for one in counts if one.lacks_texts]
    lacking += [
        ChallengeStage(one.task_id, Stage.EVALUATION) for one in counts if one.lacks_verdicts
    ]
    return tuple(one for one in lacking if (one.task_id, one.stage) not in given_up)


def _per_challenge(connection: Connection, query: Select[Any]) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(query)}

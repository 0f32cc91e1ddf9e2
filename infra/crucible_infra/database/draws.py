"""Rows of draws: what each member of a router answered on the way to a completion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, Select, and_, func, select

from crucible_infra.database.completions import CompletionRow
from crucible_infra.database.tables import completions, draws
from crucible_infra.database.upsert import insert_new


@dataclass(frozen=True, slots=True)
class DrawRow:
    """One draw; see `tables.draws` for what the columns mean."""

    run_id: str
    task_id: str
    index: int
    draw: int
    member: int
    form: str
    text: str | None
    finish: str
    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float | None
    signals: list[str]
    joules: float | None = None


@dataclass(frozen=True, slots=True)
class MemberCount:
    """What one member did in a run; sums are over the draws that told."""

    member: int
    draws: int
    #: draws that became the completion
    kept: int
    #: draws with a count of tokens, with a time, and with an energy
    counted: int
    timed: int
    metered: int
    completion_tokens: int
    seconds: float
    joules: float


def insert_draws(connection: Connection, rows: Sequence[DrawRow]) -> None:
    """Store draws of stored completions; for one that is there already the first stays."""
    insert_new(connection, draws, msgspec.to_builtins(rows))


def draws_of(connection: Connection, run_id: str) -> tuple[DrawRow, ...]:
    """Every draw of a run, by challenge, index and draw."""
    query = (
        select(draws)
        .where(draws.c.run_id == run_id)
        .order_by(draws.c.task_id, draws.c.index, draws.c.draw)
    )
    return tuple(DrawRow(**row) for row in connection.execute(query).mappings())


def member_counts(connection: Connection, run_id: str) -> tuple[MemberCount, ...]:
    """What each member that answered at all did."""
    query = (
        select(
            draws.c.member,
            func.count(),
            # the text of what was kept stands in the completion
            func.count() - func.count(draws.c.text),
            func.count(draws.c.completion_tokens),
            func.count(draws.c.seconds),
            func.count(draws.c.joules),
            func.coalesce(func.sum(draws.c.completion_tokens), 0),
            func.coalesce(func.sum(draws.c.seconds), 0.0),
            func.coalesce(func.sum(draws.c.joules), 0.0),
        )
        .where(draws.c.run_id == run_id)
        .group_by(draws.c.member)
        .order_by(draws.c.member)
    )
    return tuple(MemberCount(*row) for row in connection.execute(query))


def drawn_by(connection: Connection, run_id: str, member: int) -> tuple[CompletionRow, ...]:
    """What a member answered in a router's run, as the completions it would be alone."""
    return tuple(
        CompletionRow(
            run_id,
            row["task_id"],
            row["index"],
            row["form"],
            row["kept_text"] if row["text"] is None else row["text"],
            row["seed"],
            row["finish"],
            row["prompt_tokens"],
            row["completion_tokens"],
            row["seconds"],
            joules=row["joules"],
        )
        for row in connection.execute(_with_texts(run_id, member)).mappings()
    )


def _with_texts(run_id: str, member: int) -> Select[tuple[object, ...]]:
    is_its = and_(
        completions.c.run_id == draws.c.run_id,
        completions.c.task_id == draws.c.task_id,
        completions.c.index == draws.c.index,
    )
    return (
        select(draws, completions.c.text.label("kept_text"), completions.c.seed)
        .join(completions, is_its)
        .where(draws.c.run_id == run_id, draws.c.member == member)
        .order_by(draws.c.task_id, draws.c.index)
    )

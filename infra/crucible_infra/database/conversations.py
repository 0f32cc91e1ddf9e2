"""Rows of conversations with models, and of the exchanges in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy
from sqlalchemy import Connection, Select, func, or_, select

from crucible_infra.database.conversation_tables import conversations, exchanges


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """One conversation; see `tables.conversations` for what the columns mean."""

    id: str
    title: str
    system: str | None
    created_at: float
    changed_at: float


@dataclass(frozen=True, slots=True)
class ExchangeRow:
    """One prompt and its answer; see `tables.exchanges`."""

    conversation_id: str
    number: int
    prompt: str
    answer: str
    reasoning: str
    model: str
    model_digest: str
    server: str
    seed: int
    sampling: dict[str, Any]
    finish: str
    prompt_tokens: int | None
    completion_tokens: int | None
    asked_at: float
    first_piece_seconds: float | None
    seconds: float


def insert_conversation(connection: Connection, row: ConversationRow) -> None:
    """Add a conversation that is not there yet."""
    connection.execute(conversations.insert(), [msgspec.to_builtins(row)])


def append_exchange(connection: Connection, row: ExchangeRow) -> int:
    """Add an exchange behind the others, whatever its number says; returns the number it got."""
    # a conversation that two terminals continue at once is written into by one after the other
    here = conversations.c.id == row.conversation_id
    connection.execute(select(conversations.c.id).where(here).with_for_update())
    last = connection.scalar(
        select(func.max(exchanges.c.number)).where(
            exchanges.c.conversation_id == row.conversation_id
        )
    )
    number = (last or 0) + 1
    connection.execute(exchanges.insert(), [msgspec.to_builtins(row) | {"number": number}])
    changed = sqlalchemy.update(conversations).where(here)
    connection.execute(changed.values(changed_at=row.asked_at + row.seconds))
    return number


def newest_conversations(
    connection: Connection, limit: int, words: str | None = None
) -> tuple[ConversationRow, ...]:
    """The last ones that went on, newest first; with words, those in which somebody said them."""
    query = select(conversations)
    if words is not None:
        said = select(exchanges.c.conversation_id).where(
            or_(
                *(
                    func.lower(column).contains(words.lower(), autoescape=True)
                    for column in (exchanges.c.prompt, exchanges.c.answer)
                )
            )
        )
        query = query.where(conversations.c.id.in_(said))
    return _newest(connection, query, limit)


def matching_conversations(
    connection: Connection, text: str, limit: int
) -> tuple[ConversationRow, ...]:
    """Those whose id, or its random end, begins with this text; newest first."""
    query = select(conversations).where(
        or_(
            conversations.c.id.startswith(text, autoescape=True),
            conversations.c.id.contains(f"-{text}", autoescape=True),
        )
    )
    return _newest(connection, query, limit)


def exchanges_of(connection: Connection, conversation_id: str) -> tuple[ExchangeRow, ...]:
    """What was said in a conversation, in its order."""
    query = (
        select(exchanges)
        .where(exchanges.c.conversation_id == conversation_id)
        .order_by(exchanges.c.number)
    )
    return tuple(ExchangeRow(**row) for row in connection.execute(query).mappings())


def exchange_counts(connection: Connection, conversation_ids: Sequence[str]) -> dict[str, int]:
    """How many exchanges each of these conversations has."""
    query = (
        select(exchanges.c.conversation_id, func.count())
        .where(exchanges.c.conversation_id.in_(conversation_ids))
        .group_by(exchanges.c.conversation_id)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def _newest(connection: Connection, query: Select[Any], limit: int) -> tuple[ConversationRow, ...]:
    ordered = query.order_by(conversations.c.changed_at.desc(), conversations.c.id.desc())
    rows = connection.execute(ordered.limit(limit)).mappings()
    return tuple(ConversationRow(**row) for row in rows)

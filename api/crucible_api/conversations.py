"""Conversations with models: remembered, found again and continued."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from crucible_infra.database import Database, open_database
from crucible_infra.database.conversations import (
    ConversationRow,
    ExchangeRow,
    append_exchange,
    exchange_counts,
    exchanges_of,
    insert_conversation,
    matching_conversations,
    newest_conversations,
)
from crucible_infra.errors import ConversationNotFound
from crucible_infra.settings import Settings
from crucible_tasks.answering import AnswerEnd, AnswerRequest
from crucible_tasks.generation import Message, ModelIdentity
from crucible_tasks.planning import new_id

#: characters of a prompt by which people know a conversation again
_TITLE = 70

#: as an id, what went on last
LATEST = "latest"

#: as `finish`, answers that did not come whole
INTERRUPTED = "interrupted"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One prompt and what came of it."""

    #: what the user wrote, by which a new conversation is known
    title: str
    request: AnswerRequest
    model: ModelIdentity
    answer: str
    reasoning: str
    #: when it was sent, in seconds since 1970
    asked_at: float
    #: None where the answer did not come whole; `why` says it then
    end: AnswerEnd | None
    why: str = INTERRUPTED


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation as it stands."""

    id: str
    title: str
    system: str | None
    created_at: float
    changed_at: float
    exchanges: tuple[ExchangeRow, ...]

    @property
    def model(self) -> str | None:
        """The spec of who answered last."""
        return self.exchanges[-1].model if self.exchanges else None

    @property
    def messages(self) -> tuple[Message, ...]:
        """What was said so far, without the system message; what failed was never said."""
        turns: list[Message] = []
        for one in self.exchanges:
            if one.answer:
                turns += [Message("user", one.prompt), Message("assistant", one.answer)]
        return tuple(turns)


@dataclass(frozen=True, slots=True)
class Listed:
    """A conversation in a list."""

    id: str
    title: str
    changed_at: float
    exchanges: int


@dataclass(frozen=True, slots=True)
class Conversations:
    """Everything done with conversations; raises StorageErrors."""

    database: Database

    def record(self, exchange: Exchange, conversation_id: str | None = None) -> str:
        """Remember an exchange in this conversation, or in a new one; returns its id."""
        said = exchange.request.messages
        now = time.time()
        with self.database.writing() as connection:
            if conversation_id is None:
                conversation_id = new_id()
                system = said[0].content if said[0].role == "system" else None
                row = ConversationRow(conversation_id, title_of(exchange.title), system, now, now)
                insert_conversation(connection, row)
            append_exchange(connection, _row(conversation_id, exchange, now))
        return conversation_id

    def find(self, text: str) -> Conversation:
        """The conversation with this id, its beginning or its last four characters, or `latest`.

        Raises ConversationNotFound.
        """
        with self.database.reading() as connection:
            if text == LATEST:
                rows = newest_conversations(connection, 1)
            else:
                rows = matching_conversations(connection, text, 2)
            row = _only(text, rows)
            found = exchanges_of(connection, row.id)
        return Conversation(row.id, row.title, row.system, row.created_at, row.changed_at, found)

    def newest(self, limit: int, words: str | None = None) -> tuple[Listed, ...]:
        """The last that went on, newest first; with words, those in which they were said."""
        with self.database.reading() as connection:
            rows = newest_conversations(connection, limit, words)
            counts = exchange_counts(connection, [row.id for row in rows])
        return tuple(
            Listed(row.id, row.title, row.changed_at, counts.get(row.id, 0)) for row in rows
        )


def open_conversations(settings: Settings) -> Conversations:
    """The conversations of the configured database.

    Raises DatabaseUnavailable, SchemaOutdated, InvalidInput.
    """
    return Conversations(open_database(settings.database_url))


def title_of(prompt: str) -> str:
    """The beginning of a prompt, on one line."""
    line = " ".join(prompt[: 10 * _TITLE].split())
    return line if len(line) <= _TITLE else f"{line[: _TITLE - 1]}…"


def _row(conversation_id: str, exchange: Exchange, now: float) -> ExchangeRow:
    end, request = exchange.end, exchange.request
    model = end.model if end else exchange.model
    return ExchangeRow(
        conversation_id=conversation_id,
        number=0,
        prompt=request.messages[-1].content,
        answer=exchange.answer,
        reasoning=exchange.reasoning,
        model=model.spec,
        model_digest=model.digest,
        server=model.server,
        seed=request.seed,
        sampling=msgspec.to_builtins(request.sampling),
        finish=str(end.finish) if end else exchange.why,
        prompt_tokens=end.prompt_tokens if end else None,
        completion_tokens=end.completion_tokens if end else None,
        asked_at=exchange.asked_at,
        first_piece_seconds=end.first_piece_seconds if end else None,
        seconds=end.seconds if end else max(0.0, now - exchange.asked_at),
    )


def _only(text: str, rows: Sequence[ConversationRow]) -> ConversationRow:
    if not rows:
        problem = "no conversation was logged yet" if text == LATEST else f"no conversation {text}"
        raise ConversationNotFound(problem, hint="crucible logs list shows them")
    if len(rows) > 1 and not any(row.id == text for row in rows):
        raise ConversationNotFound(
            f"{text} may mean {rows[0].id} or {rows[1].id}", hint="write more of the id"
        )
    return next((row for row in rows if row.id == text), rows[0])

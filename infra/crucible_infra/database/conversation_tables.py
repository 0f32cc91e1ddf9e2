"""The tables of conversations: what was asked and answered outside of runs."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
)

from crucible_infra.database.any_text import AnyText
from crucible_infra.database.tables import metadata

conversations = Table(
    "conversations",
    metadata,
    Column("id", String, primary_key=True),
    # the beginning of its first prompt
    Column("title", AnyText, nullable=False),
    # what the model was told to be; null when nothing
    Column("system", AnyText),
    Column("created_at", Double, nullable=False),
    # when its last exchange ended
    Column("changed_at", Double, nullable=False, index=True),
)

exchanges = Table(
    "exchanges",
    metadata,
    Column("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    # from 1
    Column("number", Integer, nullable=False),
    # the whole message that was sent, with files and piped text
    Column("prompt", AnyText, nullable=False),
    # as it came, with everything around its code
    Column("answer", AnyText, nullable=False),
    Column("reasoning", AnyText, nullable=False),
    # the spec, the digest and the server of who answered
    Column("model", String, nullable=False),
    Column("model_digest", String, nullable=False),
    Column("server", String, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("sampling", JSON, nullable=False),
    # why it ended: "stop", "length", "other", "interrupted" or "failed"
    Column("finish", String, nullable=False),
    Column("prompt_tokens", Integer),
    Column("completion_tokens", Integer),
    Column("asked_at", Double, nullable=False),
    Column("first_piece_seconds", Double),
    Column("seconds", Double, nullable=False),
    PrimaryKeyConstraint("conversation_id", "number"),
)

"""0007: conversations with models, and what was asked and answered in them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "conversations",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("system", sa.Text),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("changed_at", sa.Double, nullable=False, index=True),
    )
    op.create_table(
        "exchanges",
        sa.Column(
            "conversation_id",
            sa.String,
            sa.ForeignKey("conversations.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("reasoning", sa.Text, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("model_digest", sa.String, nullable=False),
        sa.Column("server", sa.String, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("sampling", sa.JSON, nullable=False),
        sa.Column("finish", sa.String, nullable=False),
        sa.Column("prompt_tokens", sa.Integer),
        sa.Column("completion_tokens", sa.Integer),
        sa.Column("asked_at", sa.Double, nullable=False),
        sa.Column("first_piece_seconds", sa.Double),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("conversation_id", "number"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("exchanges")
    op.drop_table("conversations")

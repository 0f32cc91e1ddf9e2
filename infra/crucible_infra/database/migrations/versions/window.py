"""0004: which of a run's work waits to be sent, and which messages are unanswered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns; the controller finds out what a running run lacks by itself."""
    op.add_column(
        "attempts",
        sa.Column("is_waiting", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.add_column("attempts", sa.Column("asked", sa.JSON))
    op.add_column("attempts", sa.Column("messages", sa.Integer, nullable=False, server_default="0"))
    op.create_index(
        "ix_attempts_waiting",
        "attempts",
        ["run_id", "stage", "task_id"],
        sqlite_where=sa.text("is_waiting = 1"),
        postgresql_where=sa.text("is_waiting"),
    )
    op.create_index(
        "ix_attempts_unanswered",
        "attempts",
        ["run_id", "stage", "messages"],
        sqlite_where=sa.text("messages > 0"),
        postgresql_where=sa.text("messages > 0"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_attempts_unanswered", "attempts")
    op.drop_index("ix_attempts_waiting", "attempts")
    with op.batch_alter_table("attempts") as attempts:
        attempts.drop_column("messages")
        attempts.drop_column("asked")
        attempts.drop_column("is_waiting")

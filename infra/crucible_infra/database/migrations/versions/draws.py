"""0009: what each member of a router answered on the way to a completion."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the table; no run before it asked a router."""
    op.create_table(
        "draws",
        sa.Column("run_id", sa.String, nullable=False),
        sa.Column("task_id", sa.String, nullable=False),
        sa.Column("index", sa.Integer, nullable=False),
        sa.Column("draw", sa.Integer, nullable=False),
        sa.Column("member", sa.Integer, nullable=False),
        sa.Column("form", sa.String, nullable=False),
        sa.Column("text", sa.Text),
        sa.Column("finish", sa.String, nullable=False),
        sa.Column("prompt_tokens", sa.Integer),
        sa.Column("completion_tokens", sa.Integer),
        sa.Column("seconds", sa.Double),
        sa.Column("signals", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "task_id", "index", "draw", name="pk_draws"),
        sa.ForeignKeyConstraint(
            ["run_id", "task_id", "index"],
            ["completions.run_id", "completions.task_id", "completions.index"],
            name="fk_draws_completions",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("draws")

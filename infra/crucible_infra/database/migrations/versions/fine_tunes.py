"""0006: fine-tunes, the steps of their training, and the adapters that came of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the tables."""
    _create_fine_tunes()
    _create_steps()
    _create_adapters()


def downgrade() -> None:
    """Drop them, children first."""
    for table in ("adapters", "training_steps", "fine_tunes"):
        op.drop_table(table)


def _create_fine_tunes() -> None:
    op.create_table(
        "fine_tunes",
        sa.Column("id", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("base", sa.String, nullable=False),
        sa.Column("corpus", sa.String, nullable=False),
        sa.Column("recipe", sa.JSON, nullable=False),
        sa.Column("manifest", sa.JSON, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("reason", sa.Text),
        sa.Column("exit_code", sa.Integer),
        sa.Column("host", sa.String),
        sa.Column("checkpoints", sa.JSON, nullable=False),
        sa.Column("notes", sa.JSON, nullable=False),
        sa.Column("proof", sa.JSON),
        sa.Column("owner", sa.String),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("sent_at", sa.Double),
        sa.Column("started_at", sa.Double),
        sa.Column("heard_at", sa.Double),
        sa.Column("finished_at", sa.Double),
        sa.Column("seconds_before", sa.Double, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="pk_fine_tunes"),
    )
    for column in ("created_at", "state"):
        op.create_index(f"ix_fine_tunes_{column}", "fine_tunes", [column])
    op.create_index(
        "ix_fine_tunes_name",
        "fine_tunes",
        ["name"],
        unique=True,
        sqlite_where=sa.text("state <> 'failed'"),
        postgresql_where=sa.text("state <> 'failed'"),
    )


def _create_steps() -> None:
    op.create_table(
        "training_steps",
        sa.Column("fine_tune_id", sa.String, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("steps", sa.Integer, nullable=False),
        sa.Column("loss", sa.Double),
        sa.Column("held_out_loss", sa.Double),
        sa.Column("learning_rate", sa.Double),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("tokens_per_second", sa.Double),
        sa.Column("mfu", sa.Double),
        sa.Column("memory_bytes", sa.BigInteger),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("fine_tune_id", "step", name="pk_training_steps"),
        sa.ForeignKeyConstraint(
            ["fine_tune_id"],
            ["fine_tunes.id"],
            name="fk_training_steps_fine_tunes",
            ondelete="CASCADE",
        ),
    )


def _create_adapters() -> None:
    op.create_table(
        "adapters",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("fine_tune_id", sa.String, nullable=False),
        sa.Column("base", sa.String, nullable=False),
        sa.Column("artifact", sa.String, nullable=False),
        sa.Column("is_whole", sa.Boolean, nullable=False),
        sa.Column("record", sa.JSON, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_adapters"),
        sa.ForeignKeyConstraint(
            ["fine_tune_id"],
            ["fine_tunes.id"],
            name="fk_adapters_fine_tunes",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_adapters_fine_tune_id", "adapters", ["fine_tune_id"], unique=True)

"""0008: gangs: fine-tunes of several hosts, and who sits where while one gathers and trains."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns and the table; every fine-tune until now is of one host."""
    for column in (
        sa.Column("hosts", sa.Integer, nullable=False, server_default="1"),
        sa.Column("waits_for", sa.Text),
        sa.Column("begun_at", sa.Double),
        sa.Column("given_back", sa.Integer, nullable=False, server_default="0"),
        sa.Column("gave_back_at", sa.Double),
    ):
        op.add_column("fine_tunes", column)
    op.create_table(
        "gang_seats",
        sa.Column("fine_tune_id", sa.String, nullable=False),
        sa.Column("member", sa.Integer, nullable=False),
        sa.Column("token", sa.String, nullable=False),
        sa.Column("worker", sa.String),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("address", sa.String, nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("heard_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("fine_tune_id", "member", name="pk_gang_seats"),
        sa.ForeignKeyConstraint(
            ["fine_tune_id"],
            ["fine_tunes.id"],
            name="fk_gang_seats_fine_tunes",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("gang_seats")
    with op.batch_alter_table("fine_tunes") as fine_tunes:
        for name in ("gave_back_at", "given_back", "begun_at", "waits_for", "hosts"):
            fine_tunes.drop_column(name)

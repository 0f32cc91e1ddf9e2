"""0002: whose a run is, how long it was worked on, and what isolated each judged program."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; what is there already keeps its meaning."""
    op.add_column(
        "runs", sa.Column("seconds_before", sa.Double, nullable=False, server_default="0")
    )
    op.add_column("runs", sa.Column("owner", sa.String))
    op.add_column("verdicts", sa.Column("isolation", sa.String))


def downgrade() -> None:
    """Drop them."""
    with op.batch_alter_table("verdicts") as verdicts:
        verdicts.drop_column("isolation")
    with op.batch_alter_table("runs") as runs:
        runs.drop_column("owner")
        runs.drop_column("seconds_before")

"""0010: what a completion took in energy."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the columns; nobody measured what is there."""
    for table in ("completions", "draws"):
        op.add_column(table, sa.Column("joules", sa.Double))


def downgrade() -> None:
    """Drop them."""
    for table in ("draws", "completions"):
        # a table that is made anew, as a batch does, takes the rows that refer to it along
        op.drop_column(table, "joules")

"""0005: the key that seals what controllers ask."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

#: as long as SHA-256's output: more adds nothing (RFC 2104, section 3)
_KEY_BYTES = 32


def upgrade() -> None:
    """Make the key; what was asked without one is asked again."""
    keys = op.create_table(
        "keys",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_keys"),
    )
    op.bulk_insert(keys, [{"name": "tickets", "value": secrets.token_bytes(_KEY_BYTES)}])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("keys")

"""Alembic's entry: runs the migrations in the transaction `schema` has begun."""

from __future__ import annotations

from alembic import context

# every module of tables, so that all of them are known here
from crucible_infra.database.conversation_tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # the caller's transaction holds all of it, on SQLite too
    transactional_ddl=True,
    # SQLite changes a table by copying it
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()

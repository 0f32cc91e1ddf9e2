"""Alembic's entry: runs the migrations in the transaction `schema` has begun."""

from __future__ import annotations

from alembic import context

# their module loads all the others', so all tables are known here
from crucible_infra.database.conversation_tables import conversations

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=conversations.metadata,
    # the caller's transaction holds all of it, on SQLite too
    transactional_ddl=True,
    # SQLite changes a table by copying it
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()

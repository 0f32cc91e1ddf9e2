"""Changes of the schema, one module each, run by Alembic."""

"""The database: SQLite on a laptop, Postgres in a cluster; it alone knows what is missing."""

from crucible_infra.database.connection import Database
from crucible_infra.database.schema import open_database, upgrade

__all__ = ["Database", "open_database", "upgrade"]

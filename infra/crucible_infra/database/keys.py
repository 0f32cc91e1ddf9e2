"""Keys that the controllers of one database share, and nobody else has."""

from __future__ import annotations

import sqlalchemy
from sqlalchemy import Connection

from crucible_infra.database.tables import keys

#: seals what controllers ask; made by the migration that made its table
TICKETS = "tickets"


def ticket_key(connection: Connection) -> bytes:
    """The key that seals tickets; it goes into no log and no message."""
    query = sqlalchemy.select(keys.c.value).where(keys.c.name == TICKETS)
    return bytes(connection.execute(query).scalar_one())

"""The schema's version: refused when it differs, and brought up to date by `upgrade`."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy
from sqlalchemy import Connection

from crucible_infra.database.connection import Database, connect
from crucible_infra.errors import SchemaOutdated

#: the newest migration; written here so that opening a database imports no Alembic (0.2 s)
HEAD = "0010"

MIGRATIONS = Path(__file__).parent / "migrations"

#: "CRUC" as a number: the key of the Postgres lock under which one upgrade runs
_UPGRADE_LOCK = 0x43525543


def open_database(url: str) -> Database:
    """The database at this URL, its schema being this program's.

    A SQLite file is created and upgraded as needed, safely under concurrent opens. A Postgres is
    shared by many hosts, so only `upgrade` changes it. Raises SchemaOutdated, DatabaseUnavailable,
    DiskFull, and InvalidInput for a URL that is none.
    """
    database = connect(url)
    try:
        _check_schema(database)
    except BaseException:
        database.close()
        raise
    return database


def upgrade(url: str) -> str:
    """Bring the schema up to date and return its version; repeating it changes nothing."""
    database = connect(url)
    try:
        return _upgrade(database)
    finally:
        database.close()


def schema_version(connection: Connection) -> str | None:
    """The last migration applied; None for an empty database."""
    if not sqlalchemy.inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.scalar(
        sqlalchemy.text("SELECT version_num FROM alembic_version")
    )
    return version


def _check_schema(database: Database) -> None:
    with database.reading() as connection:
        version = schema_version(connection)
    if version == HEAD:
        return
    _refuse_newer(database, version)
    if database.engine.dialect.name == "sqlite":
        _upgrade(database)
        return
    found = f"at {version}" if version else "empty"
    raise SchemaOutdated(
        f"{_name(database)}: the schema is {found}, this program needs {HEAD}",
        hint="crucible db upgrade",
    )


def _upgrade(database: Database) -> str:
    from alembic import command  # noqa: PLC0415 -- see HEAD
    from alembic.config import Config  # noqa: PLC0415 -- see HEAD

    with database.writing() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(
                sqlalchemy.select(sqlalchemy.func.pg_advisory_xact_lock(_UPGRADE_LOCK))
            )
        # another process may have done it while this one waited for the lock
        version = schema_version(connection)
        _refuse_newer(database, version)
        if version != HEAD:
            configuration = Config()
            configuration.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, HEAD)
    return HEAD


def _refuse_newer(database: Database, version: str | None) -> None:
    # migrations are numbered, so later ones sort behind
    if version is not None and version > HEAD:
        raise SchemaOutdated(
            f"{_name(database)}: the schema is at {version}, newer than this program's {HEAD}",
            hint="upgrade codecrucible on this host",
        )


def _name(database: Database) -> str:
    return database.engine.url.render_as_string(hide_password=True)

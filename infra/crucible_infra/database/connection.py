"""Opening a database, its transactions, and the one place that translates its errors.

SQLite (a file, for one machine) and Postgres (psycopg 3, for a cluster) behave alike behind this.
A transaction that writes says so when it begins: on SQLite it takes the write lock at once,
because a read lock cannot be raised to a write lock once another process has written, however
long it waits.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import DatabaseError
from typing import Any

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.engine import ExceptionContext

from crucible_infra import settings
from crucible_infra.errors import DatabaseUnavailable, DiskFull, InvalidInput, StorageError

#: how long a SQLite writer waits for another; batches take milliseconds
_BUSY_MILLISECONDS = 30_000

#: seconds until an unreachable Postgres counts as such
_CONNECT_SECONDS = 10

_SQLITE_PRAGMAS = (
    # readers (progress) never wait for the writer
    "PRAGMA journal_mode = WAL",
    # safe against a killed process, and against a power cut but for the last transactions, which
    # the reconcile finds missing; FULL would cost one fsync per batch
    "PRAGMA synchronous = NORMAL",
    # SQLite does not check references unless asked
    "PRAGMA foreign_keys = ON",
    # 32 MiB, so that a run of 32,800 completions counts its verdicts from memory
    "PRAGMA cache_size = -32768",
)

_FULL_HINT = "free some space, then `crucible runs resume` the run: nothing stored is lost"


@dataclass(frozen=True, slots=True)
class Database:
    """An open database; every error its connections raise is a StorageError."""

    engine: Engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that changes nothing."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is committed as a whole or not at all."""
        with self.engine.connect() as connection:
            writer = connection.execution_options(is_writing=True)
            with writer.begin():
                yield writer

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def connect(url: str) -> Database:
    """A database whose schema is taken as it is; no connection is made yet.

    Raises InvalidInput when the URL is none, or names an engine other than SQLite or Postgres.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        engine = _sqlite(parsed)
    else:
        engine = sqlalchemy.create_engine(
            parsed,
            hide_parameters=True,
            # a connection the server has dropped is replaced instead of failing a task
            pool_pre_ping=True,
            connect_args={"connect_timeout": _CONNECT_SECONDS},
        )
    event.listen(engine, "handle_error", functools.partial(_translate, parsed), retval=True)
    return Database(engine)


def _parse(url: str) -> URL:
    try:
        parsed = sqlalchemy.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError) as error:
        raise InvalidInput(
            "CRUCIBLE_DATABASE_URL is not a database URL",
            hint="sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME",
        ) from error
    name = parsed.drivername.partition("+")[0]
    if name in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    if name == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed.set(drivername="sqlite+pysqlite")
    raise InvalidInput(
        f"{parsed.render_as_string(hide_password=True)}: neither a SQLite file nor Postgres",
        hint="sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME",
    )


def _sqlite(url: URL) -> Engine:
    assert url.database is not None
    try:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnavailable(
            f"{url.database}: {error.strerror}", hint=_hint(url, error)
        ) from error
    engine = sqlalchemy.create_engine(
        url,
        hide_parameters=True,
        # the driver would begin transactions late and as readers; `_begin` does it
        connect_args={"isolation_level": None, "timeout": _BUSY_MILLISECONDS / 1000},
    )
    event.listen(engine, "do_connect", _make_private)
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def _make_private(dialect: object, record: object, words: list[Any], rest: object) -> None:
    """Make a new file for its owner's eyes alone: it holds what was piped into conversations."""
    del dialect, record, rest
    # an existing one keeps its mode; what is wrong with the path, SQLite says itself
    with suppress(OSError):
        os.close(os.open(words[0], os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _set_pragmas(connection: Any, record: object) -> None:
    del record
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    is_writing = connection.get_execution_options().get("is_writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


def _translate(url: URL, context: ExceptionContext) -> StorageError | None:
    """The StorageError for a driver's error; None leaves a mistake of our own as it is."""
    error = context.original_exception
    kind = _kind(error)
    if kind is None:
        return None
    detail = (str(error).strip() or type(error).__name__).splitlines()[0]
    if url.password:
        detail = detail.replace(str(url.password), "***")
    # nobody wrote the URL of the default file
    place = url.database if url.get_backend_name() == "sqlite" else None
    hint = _FULL_HINT if kind is DiskFull else _hint(url, error)
    return kind(f"{place or url.render_as_string(hide_password=True)}: {detail}", hint=hint)


def _hint(url: URL, error: BaseException) -> str:
    """What to do about a database that cannot be used; it names only what the user has set."""
    if url.get_backend_name() != "sqlite":
        return "check CRUCIBLE_DATABASE_URL, and that the server runs"
    is_default = url.database == str(settings.current().database_file)
    elsewhere = "CRUCIBLE_HOME=DIRECTORY" if is_default else "CRUCIBLE_DATABASE_URL=sqlite:///FILE"
    # SQLite's words for damage, and for a file of another kind
    if type(error) is DatabaseError:
        return f"move the file away, which forgets its runs, or set {elsewhere}"
    if "locked" in str(error):
        return "another process is writing into it; try again when that has ended"
    folder = Path(url.database or "").parent
    return f"this user must be able to write into {folder}; {elsewhere} keeps runs elsewhere"


def _kind(error: BaseException) -> type[StorageError] | None:
    """DiskFull, DatabaseUnavailable, or None for what is neither."""
    # Postgres' class 53 is "insufficient resources", 53100 the disk
    if getattr(error, "sqlstate", None) == "53100" or "disk is full" in str(error):
        return DiskFull
    # DB-API: what is "not necessarily under the control of the programmer"
    names = {base.__name__ for base in type(error).__mro__}
    # a bare DatabaseError is SQLite's word for a file that is damaged or something else
    is_foreign = names & {"OperationalError", "InterfaceError"} or type(error) is DatabaseError
    return DatabaseUnavailable if is_foreign else None

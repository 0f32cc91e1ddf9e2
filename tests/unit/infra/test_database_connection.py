from __future__ import annotations

import sqlite3
import stat
import threading
from pathlib import Path

import pytest
import sqlalchemy

from crucible_infra import settings
from crucible_infra.database import Database, open_database
from crucible_infra.database.connection import connect
from crucible_infra.errors import DatabaseUnavailable, DiskFull, InvalidInput
from services import free_port


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return open_database(f"sqlite:///{tmp_path / 'x.db'}")


def test_a_new_file_is_for_its_owners_eyes_and_an_old_one_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    open_database(f"sqlite:///{path}").close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    opened = open_database(f"sqlite:///{path}")
    with opened.reading():
        assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o640}
    opened.close()


def test_an_unreachable_postgres_is_named_without_its_password() -> None:
    port = free_port()
    with pytest.raises(DatabaseUnavailable) as caught:
        open_database(f"postgresql://crucible:s3cret@127.0.0.1:{port}/runs")
    assert f"postgresql+psycopg://crucible:***@127.0.0.1:{port}/runs" in caught.value.message
    assert "s3cret" not in str(caught.value)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("url", ["postgresql://u:pw@h:abc/x", "nonsense", "", "mysql://u:pw@h/x"])
def test_what_is_no_usable_url_is_bad_input_and_hides_its_password(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        connect(url)
    assert "pw" not in caught.value.message


def test_a_database_in_memory_is_refused() -> None:
    with pytest.raises(InvalidInput, match="neither a SQLite file nor Postgres"):
        connect("sqlite://")


def test_a_directory_in_the_files_place_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="unable to open database file"):
        open_database(f"sqlite:///{tmp_path}")


def test_a_file_where_the_folder_should_be_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseUnavailable, match="file"):
        open_database(f"sqlite:///{tmp_path / 'file' / 'x.db'}")


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"something else entirely" * 100)
    with pytest.raises(DatabaseUnavailable, match="not a database"):
        open_database(f"sqlite:///{tmp_path / 'x.db'}")


@pytest.mark.parametrize("is_garbage", [True, False])
def test_the_hint_for_the_default_file_is_about_the_home(
    crucible_home: Path, *, is_garbage: bool
) -> None:
    if is_garbage:
        (crucible_home / "crucible.db").write_bytes(b"something else entirely" * 100)
    else:
        (crucible_home / "crucible.db").mkdir()
    with pytest.raises(DatabaseUnavailable) as caught:
        open_database(settings.current().database_url)
    assert caught.value.message.startswith(str(crucible_home / "crucible.db"))
    hint = caught.value.hint or ""
    assert "CRUCIBLE_HOME=" in hint
    assert "CRUCIBLE_DATABASE_URL" not in hint
    assert ("move the file away" in hint) is is_garbage


def test_the_hint_for_a_file_somebody_named_is_about_its_url(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        open_database(f"sqlite:///{tmp_path}")
    assert "CRUCIBLE_DATABASE_URL=" in (caught.value.hint or "")


def test_a_home_below_a_file_is_named_with_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CRUCIBLE_HOME", str(tmp_path / "file"))
    settings.current.cache_clear()
    with pytest.raises(DatabaseUnavailable) as caught:
        open_database(settings.current().database_url)
    settings.current.cache_clear()
    assert "CRUCIBLE_HOME=" in (caught.value.hint or "")


def test_a_full_disk_is_named(database: Database, tmp_path: Path) -> None:
    with database.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DiskFull) as caught, database.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE t AS SELECT zeroblob(1000000)")
    assert caught.value.message.startswith(str(tmp_path / "x.db"))
    assert "crucible runs resume" in (caught.value.hint or "")
    database.close()


def test_a_mistake_of_ours_is_not_a_storage_error(database: Database) -> None:
    with pytest.raises(sqlalchemy.exc.IntegrityError), database.writing() as connection:
        connection.exec_driver_sql("INSERT INTO runs (id) VALUES ('x')")
    database.close()


def test_sqlite_keeps_a_log_ahead_and_checks_references(database: Database) -> None:
    with database.reading() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert found == ["wal", 1, 1, 30_000]
    database.close()


def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    with database.writing() as writer:
        writer.exec_driver_sql("CREATE TABLE t (x)")
        with database.reading() as reader:
            assert reader.exec_driver_sql("SELECT count(*) FROM runs").scalar() == 0
    database.close()


def test_writers_of_other_processes_are_waited_for(database: Database, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, lambda: other.execute("COMMIT"))
    release.start()
    with database.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x)")
    release.join()
    other.close()
    database.close()

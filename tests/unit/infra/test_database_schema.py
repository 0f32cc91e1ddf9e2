from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from crucible_infra.database import open_database, schema
from crucible_infra.database.connection import connect
from crucible_infra.database.conversation_tables import conversations
from crucible_infra.database.runs import find_run

OPEN = "import sys; from crucible_infra.database import open_database; open_database(sys.argv[1])"


def test_head_is_the_newest_migration() -> None:
    configuration = Config()
    configuration.set_main_option("script_location", str(schema.MIGRATIONS))
    assert ScriptDirectory.from_config(configuration).get_current_head() == schema.HEAD


def test_the_migrations_make_the_tables_the_program_uses(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'new' / 'x.db'}")
    with database.reading() as connection:
        assert (
            compare_metadata(MigrationContext.configure(connection), conversations.metadata) == []
        )
    database.close()


def test_processes_that_open_a_new_file_at_once_all_succeed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    children = [
        subprocess.Popen([sys.executable, "-c", OPEN, url], stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    for child in children:
        _, complaint = child.communicate(timeout=60)
        assert (child.returncode, complaint) == (0, b"")


def test_a_failed_migration_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    broken = tmp_path / "migrations"
    (broken / "versions").mkdir(parents=True)
    (broken / "env.py").write_text((schema.MIGRATIONS / "env.py").read_text())
    (broken / "versions" / "one.py").write_text(
        f"from alembic import op\nrevision, down_revision = '{schema.HEAD}', None\n"
        "def upgrade():\n    op.execute('CREATE TABLE half (x)')\n    op.execute('nonsense')\n"
    )
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", broken)
        with pytest.raises(Exception, match="nonsense"):
            open_database(url)
    database = open_database(url)
    with database.reading() as connection:
        assert not connection.dialect.has_table(connection, "half")
    database.close()


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'old.db'}"
    url: str = request.getfixturevalue("postgres_database_url")
    return url


def test_what_an_older_version_stored_is_kept(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(schema, "HEAD", "0001")
        schema.upgrade(empty_url)
    columns = "id kind state source dataset dataset_digest dataset_artifact grader".split()
    database = connect(empty_url)
    with database.writing() as connection:
        connection.exec_driver_sql(
            f"INSERT INTO runs ({', '.join(columns)}, n, ks, seed, batch, grade_round, manifest, "
            f"created_at) VALUES ({', '.join(repr(name) for name in columns)}, "
            "1, '[1]', 0, 1, 0, '{}', 5.0)"
        )
    database.close()
    schema.upgrade(empty_url)
    database = open_database(empty_url)
    with database.reading() as connection:
        run = find_run(connection, "id")
    database.close()
    assert run is not None
    assert (run.created_at, run.seconds_before, run.owner, run.priority) == (5.0, 0.0, None, 0)


def test_opening_an_up_to_date_file_imports_no_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    open_database(url).close()
    check = f"{OPEN}; assert 'alembic' not in sys.modules"
    subprocess.run([sys.executable, "-c", check, url], check=True, timeout=60)

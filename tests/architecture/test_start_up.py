"""What a user types often starts quickly: nothing heavy is imported for it."""

from __future__ import annotations

import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_server import ModelServer, Ollama, Reply
from served import Served, served

#: what costs more to import than the whole answer takes
HEAVY = (
    "alembic",
    "celery",
    "fsspec",
    "httpx",
    "kombu",
    "numpy",
    "prompt_toolkit",
    "psycopg",
    "redis",
    "rich",
    "sqlalchemy",
)

SCRIPT = """
import sys
from crucible_api.entry import main
sys.argv = ["crucible", *sys.argv[1:]]
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
print("\\n".join(sys.modules), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def another_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("served")) as server:
        yield server


def _loaded(*words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "words", [("--version",), ("--help",), ("benchmark", "--help"), ("runs", "--help")]
)
def test_nothing_heavy_is_imported(words: tuple[str, ...], crucible_home: Path) -> None:
    del crucible_home
    assert sorted(_loaded(*words).intersection(HEAVY)) == []


def test_a_question_is_sent_before_anything_heavy_is_imported(crucible_home: Path) -> None:
    del crucible_home
    refusal = Reply({"error": "not today"}, 400)
    with ModelServer(Ollama(faults=deque([refusal]))) as server:
        loaded = _loaded("-m", f"ollama:{server.url}#codellama:7b-code", "fix the bug")
        assert len(server.sampled) == 1
    # HTTP takes its share; the database is opened when the answer is there
    assert sorted(loaded.intersection(HEAVY)) == ["httpx"]


@pytest.mark.parametrize("words", [("runs", "list"), ("sweeps", "list"), ("fine-tunes", "list")])
def test_a_server_is_asked_without_a_database_and_a_broker(
    words: tuple[str, ...],
    crucible_home: Path,
    another_host: Served,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del crucible_home
    monkeypatch.setenv("CRUCIBLE_SERVER", another_host.url)
    loaded = _loaded(*words)
    # tables are drawn by rich
    assert sorted(loaded.intersection(HEAVY)) == ["httpx", "rich"]


def test_the_version_needs_no_command_line_library(crucible_home: Path) -> None:
    del crucible_home
    assert "click" not in _loaded("--version")


def test_help_reads_no_file_of_configuration(crucible_home: Path) -> None:
    (crucible_home / "config.toml").write_text('model = "nano"')
    assert "tomllib" not in _loaded("benchmark", "--help")

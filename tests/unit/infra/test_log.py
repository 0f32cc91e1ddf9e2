"""The log: one line per event, ids bound, nothing secret."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from crucible_infra import log, settings
from crucible_infra.errors import InvalidInput, StorageError

pytestmark = pytest.mark.usefixtures("crucible_home")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    ours = logging.getLogger("crucible").level
    yield io.StringIO()
    root.handlers[:], root.level = handlers, level
    logging.getLogger("crucible").setLevel(ours)
    log.unbind()


def _set(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings.current.cache_clear()


def test_an_event_is_one_line_of_key_and_value(stream: io.StringIO) -> None:
    log.configure(level="INFO", stream=stream)
    with log.bound(run="r1"):
        log.info("stored", count=3, detail='two "words"\nand a line')

    line = stream.getvalue()
    assert line.count("\n") == 1
    assert line.split("Z ", 1)[1] == (
        'INFO stored run=r1 count=3 detail="two \\"words\\"\\nand a line"\n'
    )


def test_json_lines_hold_the_same(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, CRUCIBLE_LOG_FORMAT="json")
    log.configure(level="INFO", stream=stream)
    log.info("stored", count=3)

    entry = json.loads(stream.getvalue())
    assert (entry["event"], entry["count"], entry["level"]) == ("stored", 3, "INFO")


def test_bound_ids_end_with_their_block_and_stay_in_their_thread(stream: io.StringIO) -> None:
    log.configure(level="INFO", stream=stream)
    with log.bound(run="r1", task="t1"):
        other = threading.Thread(target=log.info, args=("elsewhere",))
        other.start()
        other.join()
    log.info("later")

    assert "r1" not in stream.getvalue()


def test_configuring_twice_writes_each_line_once(stream: io.StringIO) -> None:
    log.configure(stream=stream)
    log.configure(stream=stream)
    log.warning("once")

    assert stream.getvalue().count("once") == 1


def test_the_environment_chooses_the_level(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set(monkeypatch, CRUCIBLE_LOG_LEVEL="error")
    log.configure(level="INFO", stream=stream)
    log.warning("quiet")
    log.error("loud")

    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()


def test_an_unknown_level_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, CRUCIBLE_LOG_LEVEL="chatty")
    with pytest.raises(InvalidInput, match="CHATTY"):
        log.configure()


def test_a_bug_brings_its_traceback_to_a_workers_log_but_an_expected_error_does_not(
    stream: io.StringIO,
) -> None:
    log.configure(level="INFO", stream=stream)
    try:
        int("x")
    except ValueError as error:
        log.error("task_failed", error=error)
    log.error("task_failed", error=StorageError("disk"))

    bug, expected = stream.getvalue().splitlines()
    assert "Traceback" in bug
    assert expected.endswith('error="StorageError: disk"')


@pytest.mark.parametrize(
    "text",
    [
        "GET / Authorization: Bearer abc123secret",
        "{'authorization': 'Basic abc123secret'}",
        "redis://user:abc123secret@host:6379/0",
        "postgresql+psycopg://crucible:abc123secret@db/x",
        "api_key=abc123secret&x=1",
        '{"password": "abc123secret"}',
        "sent bearer abc123secret to it",
    ],
)
def test_secrets_are_found_by_their_place(text: str) -> None:
    assert "abc123secret" not in log.redact(text)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OPENAI_API_KEY", "hunter2secret"),
        ("CRUCIBLE_BROKER_URL", "redis://:hunter2secret@host/0"),
        ("CRUCIBLE_DATABASE_URL", "postgresql+psycopg://me:hunter2secret@host/0"),
    ],
)
def test_configured_secrets_are_found_anywhere(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    _set(monkeypatch, **{variable: value})
    log.configure(stream=stream)
    log.warning("said", text="it was hunter2secret all along")
    logging.getLogger("some.library").warning("and %s too", "hunter2secret")

    assert "hunter2secret" not in stream.getvalue()
    assert stream.getvalue().count("***") == 2


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_secret_that_json_writes_in_another_way_is_found(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    _set(
        monkeypatch,
        CRUCIBLE_BROKER_URL="redis://:hunter%222%5Csecret@host/0",
        CRUCIBLE_LOG_FORMAT=form,
    )
    log.configure(stream=stream)
    log.warning("said", text='it was hunter"2\\secret all along')

    assert "secret" not in stream.getvalue()
    assert "***" in stream.getvalue()


def test_ordinary_text_is_left_alone() -> None:
    text = "http://localhost:11434/api at 10:30, user@host: key word passwords"

    assert log.redact(text) == text


def test_a_key_of_the_users_file_is_blotted_out(crucible_home: Path) -> None:
    (crucible_home / "keys.toml").write_text('work = "sk-of-the-file"\n')
    (crucible_home / "keys.toml").chmod(0o600)
    settings.current.cache_clear()

    assert log.redact("refused: sk-of-the-file is unknown") == "refused: *** is unknown"

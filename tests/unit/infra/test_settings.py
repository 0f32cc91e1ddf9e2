"""Settings: what the environment says, and what holds when it says nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crucible_infra import settings
from crucible_infra.errors import InvalidInput
from crucible_infra.secret_files import SECRETS
from crucible_workers.sandbox import BACKENDS


def test_nothing_configured_means_everything_in_this_process() -> None:
    read = settings.read({"HOME": "/home/ada"})

    assert read.is_embedded
    assert read.data_directory == Path("/home/ada/.local/share/codecrucible")
    assert read.cache_directory == Path("/home/ada/.cache/codecrucible")
    assert read.database_url == "sqlite:////home/ada/.local/share/codecrucible/crucible.db"
    assert read.artifacts_url == "/home/ada/.local/share/codecrucible/artifacts"


def test_xdg_directories_are_followed() -> None:
    read = settings.read({"HOME": "/h", "XDG_DATA_HOME": "/data", "XDG_CACHE_HOME": "/cache"})

    assert read.data_directory == Path("/data/codecrucible")
    assert read.cache_directory == Path("/cache/codecrucible")


def test_one_home_holds_everything() -> None:
    read = settings.read({"CRUCIBLE_HOME": "/x", "XDG_CACHE_HOME": "/cache"})

    assert read.data_directory == Path("/x")
    assert read.cache_directory == Path("/x/cache")


def test_two_urls_make_a_cluster() -> None:
    read = settings.read(
        {
            "CRUCIBLE_BROKER_URL": "redis://broker/0",
            "CRUCIBLE_DATABASE_URL": "postgresql+psycopg://db/crucible",
        }
    )

    assert not read.is_embedded
    assert read.database_url == "postgresql+psycopg://db/crucible"


@pytest.mark.parametrize(("value", "expected"), [("", False), ("0", False), ("1", True)])
def test_debugging_is_switched_on_by_anything_but_zero(value: str, *, expected: bool) -> None:
    assert settings.read({"CRUCIBLE_DEBUG": value}).is_debugging is expected


@pytest.mark.parametrize(("value", "expected"), [("", False), ("false", False), ("true", True)])
def test_continuous_integration_is_noticed(value: str, *, expected: bool) -> None:
    assert settings.read({"CI": value}).is_ci is expected


def test_an_empty_variable_is_an_unset_one() -> None:
    read = settings.read({"CRUCIBLE_BROKER_URL": "", "OPENAI_API_KEY": "", "CRUCIBLE_MODEL": ""})

    assert read.is_embedded
    assert read.openai_api_key is None
    assert read.default_model is None


def test_the_log_is_text_unless_json_is_asked_for() -> None:
    assert not settings.read({}).log_is_json
    assert settings.read({"CRUCIBLE_LOG_FORMAT": "json"}).log_is_json
    assert settings.read({"CRUCIBLE_LOG_LEVEL": "info"}).log_level == "INFO"


@pytest.mark.parametrize(
    ("name", "value", "known"),
    [
        ("CRUCIBLE_LOG_FORMAT", "jsn", "text, json"),
        ("CRUCIBLE_LOG_LEVEL", "chatty", "DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("CRUCIBLE_SANDBOX", "foo", "namespaces, container, process"),
        ("CRUCIBLE_VERDICT_CACHE", "no", "on, off"),
        ("CRUCIBLE_OUTAGE_SECONDS", "soon", "like 60"),
        ("CRUCIBLE_OUTAGE_SECONDS", "-1", "like 60"),
        ("CRUCIBLE_METRICS_PORT", "some", "like 9464"),
        ("CRUCIBLE_METRICS_PORT", "-1", "like 9464"),
        ("CRUCIBLE_METRICS_PORT", "65536", "like 9464"),
    ],
)
def test_a_value_that_means_nothing_is_refused_with_those_that_do(
    name: str, value: str, known: str
) -> None:
    with pytest.raises(InvalidInput, match=name) as caught:
        settings.read({name: value}).check()
    assert known in (caught.value.hint or "")


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"CRUCIBLE_LOG_FORMAT": "JSON", "CRUCIBLE_LOG_LEVEL": "warning"},
        {"CRUCIBLE_SANDBOX": "process", "CRUCIBLE_OUTAGE_SECONDS": "0.5"},
        {"CRUCIBLE_METRICS_PORT": "0"},
        {"CRUCIBLE_METRICS_PORT": "", "CRUCIBLE_METRICS_ADDRESS": ""},
        {"CRUCIBLE_LOG_FORMAT": "", "CRUCIBLE_LOG_LEVEL": "", "CRUCIBLE_OUTAGE_SECONDS": ""},
    ],
)
def test_what_means_something_is_not_refused(environment: dict[str, str]) -> None:
    settings.read(environment).check()


def test_the_process_reads_its_environment_once(
    crucible_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = settings.current()
    monkeypatch.setenv("CRUCIBLE_HOME", "/elsewhere")

    assert settings.current() is first
    assert first.data_directory == crucible_home


def test_flower_is_linked_only_where_a_page_can_be() -> None:
    settings.read({"CRUCIBLE_FLOWER_URL": "https://queue:5555/"}).check()
    with pytest.raises(InvalidInput, match="CRUCIBLE_FLOWER_URL"):
        settings.read({"CRUCIBLE_FLOWER_URL": "javascript:alert(1)"}).check()


def test_metrics_are_off_and_stay_on_this_host_unless_told_otherwise() -> None:
    silent = settings.read({})
    told = settings.read({"CRUCIBLE_METRICS_PORT": "9464", "CRUCIBLE_METRICS_ADDRESS": "0.0.0.0"})

    assert (silent.metrics_port, silent.metrics_address) == (None, "127.0.0.1")
    assert (told.metrics_port, told.metrics_address) == (9464, "0.0.0.0")


def test_a_flag_wins_over_the_environment(
    crucible_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del crucible_home
    # so that it is undone at the end
    monkeypatch.setenv("CRUCIBLE_METRICS_PORT", "1")
    settings.prefer("CRUCIBLE_METRICS_PORT", "2")

    assert settings.current().metrics_port == 2
    assert os.environ["CRUCIBLE_METRICS_PORT"] == "2"


def test_every_sandbox_there_is_can_be_chosen() -> None:
    assert settings.SANDBOXES == BACKENDS


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_may_stand_in_a_file_with_a_newline_at_its_end(name: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("redis://:hunter22@broker/0\n")
    read = settings.read({f"{name}_FILE": str(secret)})

    read.check()
    assert "redis://:hunter22@broker/0" in (
        read.broker_url,
        read.database_url,
        read.openai_api_key,
        read.token,
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "No such file or directory"),
        (b"", "it is empty"),
        (b"\n", "it is empty"),
        (b"hunter22\nhunter23\n", "it has more than one line"),
        (b"\xff\xfehunter22", "it is not text"),
    ],
)
def test_a_secret_that_cannot_be_read_is_refused_without_showing_it(
    content: bytes | None, problem: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_bytes(content)
    read = settings.read({"CRUCIBLE_DATABASE_URL_FILE": str(secret)})

    with pytest.raises(InvalidInput, match="CRUCIBLE_DATABASE_URL_FILE") as caught:
        read.check()
    assert problem in caught.value.message
    assert "hunter" not in f"{caught.value.message} {caught.value.hint}"


def test_a_secret_set_twice_is_refused_rather_than_guessed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("sk-file")
    read = settings.read({"OPENAI_API_KEY": "sk-plain", "OPENAI_API_KEY_FILE": str(secret)})

    with pytest.raises(InvalidInput, match="OPENAI_API_KEY and OPENAI_API_KEY_FILE are both set"):
        read.check()


def test_a_server_is_one_address_and_its_token_is_shown_nowhere() -> None:
    read = settings.read(
        {"CRUCIBLE_SERVER": "https://c.example/", "CRUCIBLE_TOKEN": "s3cret-token"}
    )

    read.check()
    assert read.server == "https://c.example"
    assert read.token == "s3cret-token"
    assert "s3cret-token" not in repr(read)
    assert read.is_embedded
    assert not read.runs_here
    assert settings.read({}).runs_here


@pytest.mark.parametrize(
    "url",
    [
        "c.example",
        "ftp://c.example",
        "https://",
        "https://user:password@c.example",
        "https://c.example/?a=b",
        "http://c.example:0",
        "http://[::1",
        "https://c exam.ple",
    ],
)
def test_an_address_that_is_none_is_refused_without_a_password(url: str) -> None:
    with pytest.raises(InvalidInput, match="CRUCIBLE_SERVER") as caught:
        settings.read({"CRUCIBLE_SERVER": url}).check()

    assert "password@" not in f"{caught.value.message} {caught.value.hint}"
    assert ("lacks its https://" in caught.value.message) == (url == "c.example")


@pytest.mark.parametrize("name", ["CRUCIBLE_BROKER_URL", "CRUCIBLE_DATABASE_URL"])
def test_a_server_beside_a_cluster_is_a_contradiction(name: str) -> None:
    both = {"CRUCIBLE_SERVER": "https://c.example", name: "redis://queue/0"}
    with pytest.raises(InvalidInput, match=f"CRUCIBLE_SERVER and {name}"):
        settings.read(both).check()


def test_a_token_that_no_header_carries_is_refused_without_showing_it() -> None:
    with pytest.raises(InvalidInput, match="CRUCIBLE_TOKEN") as caught:
        settings.read({"CRUCIBLE_SERVER": "https://c.example", "CRUCIBLE_TOKEN": "sécret"}).check()

    assert "sécret" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("url", "notes"),
    [
        ("http://c.example", 1),
        ("https://c.example", 0),
        ("http://127.0.0.1:8642", 0),
        ("http://[::1]:8642", 0),
        ("http://localhost:8642", 0),
        ("http://localhost.example", 1),
    ],
)
def test_plain_http_beyond_this_host_is_told_where_there_is_a_token(
    url: str, notes: int, tmp_path: Path
) -> None:
    home = {
        "CRUCIBLE_HOME": str(tmp_path),
        "XDG_CONFIG_DIRS": str(tmp_path),
        "CRUCIBLE_SERVER": url,
    }

    assert not settings.read_with_files(home).notes
    assert len(settings.read_with_files({**home, "CRUCIBLE_TOKEN": "t"}).notes) == notes

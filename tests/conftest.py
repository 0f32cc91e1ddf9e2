"""Fixtures everybody may use: a home of one's own, the data files, real servers."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
import sqlalchemy

import services
from crucible_infra import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from served import Served

REPOSITORY = Path(__file__).resolve().parents[1]

#: what would make a test depend on whose machine it runs on
_FOREIGN = ("CRUCIBLE_", "OLLAMA_HOST", "OPENAI_", "NO_COLOR", "FORCE_COLOR", "CLICOLOR")

#: whose level commands choose
_LOGGER = "crucible"

#: the one of ours that is meant for the tests
_DATA_VARIABLE = "CRUCIBLE_TEST_DATA"


def pytest_configure() -> None:
    """Forget the user's configuration before any module of ours reads it."""
    for name in _foreign_variables():
        del os.environ[name]


@pytest.fixture
def crucible_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty CRUCIBLE_HOME; nothing else of the environment reaches the settings."""
    for name in _foreign_variables():
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("CRUCIBLE_HOME", str(home))
    settings.current.cache_clear()
    yield home
    settings.current.cache_clear()


@pytest.fixture(autouse=True)
def log_for_the_next_test() -> Iterator[None]:
    """A test that sets the process' log up, as commands do, leaves no level for the next."""
    yield
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger(_LOGGER).setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def datasets_directory() -> Path:
    """The folder with the published data files; skips where there is none."""
    chosen = os.environ.get(_DATA_VARIABLE)
    directory = Path(chosen) if chosen else REPOSITORY.parent / "shared" / "data"
    if not directory.is_dir():
        pytest.skip(f"no data files: {_DATA_VARIABLE} names no folder")
    return directory


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis, one for all tests: use queues and keys of your own."""
    try:
        with services.redis_server(tmp_path_factory.mktemp("redis")) as server:
            yield server.url
    except services.ServiceMissing as error:
        _without(error)


@pytest.fixture
def redis_of_my_own(tmp_path: Path) -> Iterator[services.RedisServer]:
    """A real Redis that a test may kill and start again."""
    try:
        with services.redis_server(tmp_path) as server:
            yield server
    except services.ServiceMissing as error:
        _without(error)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real Postgres, one for all tests."""
    try:
        with services.postgres_server() as url:
            yield url
    except services.ServiceMissing as error:
        _without(error)


@pytest.fixture
def postgres_database_url(postgres_url: str) -> Iterator[str]:
    """An empty Postgres database, dropped at the end."""
    name = f"test_{uuid.uuid4().hex}"
    admin = sqlalchemy.create_engine(
        postgres_url, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool
    )
    with admin.connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
    url = sqlalchemy.make_url(postgres_url).set(database=name)
    yield url.render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(sqlalchemy.text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def node() -> str:
    """The path of a real Node."""
    try:
        return services.node_executable()
    except services.ServiceMissing as error:
        _without(error)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A real Chromium for the pages of one module."""
    # costs 0.2 s to import, and few modules look at pages
    import browser

    try:
        with browser.chromium() as running:
            yield running
    except services.ServiceMissing as error:
        _without(error)


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """An empty page as wide as a desk, without cookies."""
    import browser

    with browser.opened(chromium) as empty:
        yield empty


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The API and the pages over a filled database, one for a module."""
    # costs 0.4 s to import
    import served

    with served.served(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The same; its sandbox finds its datasets, as that of one which a user has started does."""
    import served

    home = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRUCIBLE_HOME", str(home))
        settings.current.cache_clear()
        with served.served(home) as running:
            yield running
    settings.current.cache_clear()


def _without(error: services.ServiceMissing) -> NoReturn:
    """A missing service is a skip at home and a failure where everything must be there."""
    if settings.read(os.environ).is_ci:
        pytest.fail(str(error))
    pytest.skip(str(error))


def _foreign_variables() -> list[str]:
    return [name for name in os.environ if name.startswith(_FOREIGN) and name != _DATA_VARIABLE]

"""The whole server over a filled database, on a free port: what every test of a page asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

from crucible_api.fine_tunes import FineTunes
from crucible_api.http.application import build
from crucible_api.http.guard import Rules
from crucible_api.http.server import listen
from crucible_api.http.services import Services
from crucible_api.runs import Runs
from crucible_infra import settings
from crucible_infra.artifacts import open_store
from crucible_infra.database import open_database, upgrade
from crucible_tasks import embedded
from filled_database import Filled, fill

#: a busy machine's patience with the server's start and end
SECONDS = 20

RULES = Rules(hosts=frozenset({"localhost", "127.0.0.1", "[::1]"}))


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs, and what its database holds."""

    #: without a slash at its end
    url: str
    services: Services
    filled: Filled


def open_filled_services(directory: Path, url: str | None = None) -> Services:
    """The services over a new database, SQLite in this directory unless a URL is given."""
    chosen = url or f"sqlite:///{directory / 'crucible.db'}"
    upgrade(chosen)
    chosen_settings = settings.read(_environment(directory, chosen))
    database = open_database(chosen)
    runs = Runs(database, open_store(chosen_settings.artifacts_url), send=lambda _: None)
    return Services(chosen_settings, runs, FineTunes(database, send=lambda _: None))


@contextmanager
def served(directory: Path, url: str | None = None, *, works: bool = False) -> Iterator[Served]:
    """A server in a thread of this process; nothing that is sent to a queue goes anywhere.

    One that works has an embedded worker as well, which is asked what models there are.
    """
    services = open_filled_services(directory, url)
    database = services.runs.database
    with ExitStack() as stack:
        stack.callback(database.close)
        filled = fill(database, services.runs.artifacts)
        stack.enter_context(_at_home(_environment(directory, services.settings.database_url)))
        if works:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            # what lies in the database is not done by itself
            patch.setattr(embedded, "RECONCILE_SECONDS", 3600)
            hands = embedded.embedded_worker(generation_threads=2, evaluation_slots=1)
            stack.enter_context(hands)
        yield Served(stack.enter_context(answering(services)), services, filled)


@contextmanager
def answering(services: Services, rules: Rules = RULES) -> Iterator[str]:
    """The address at which a server over these services answers until the end."""
    with listen("127.0.0.1", 0) as bound:
        config = uvicorn.Config(
            build(services, rules),
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
            ws="none",
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound.socket]})
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield bound.url
        finally:
            server.should_exit = True
            thread.join(SECONDS)


def _environment(directory: Path, url: str) -> dict[str, str]:
    return {
        "CRUCIBLE_HOME": str(directory),
        "CRUCIBLE_DATABASE_URL": url,
        "CRUCIBLE_ARTIFACTS_URL": str(directory / "artifacts"),
    }


@contextmanager
def _at_home(environment: dict[str, str]) -> Iterator[None]:
    """Let this process' settings be the server's, as where it runs alone."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        settings.current.cache_clear()
        yield
    settings.current.cache_clear()


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise AssertionError("the server did not start")
        time.sleep(0.01)

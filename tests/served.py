"""The whole server over a filled database, on a free port: what every test of a page asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

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
    values = {
        "CRUCIBLE_HOME": str(directory),
        "CRUCIBLE_DATABASE_URL": chosen,
        "CRUCIBLE_ARTIFACTS_URL": str(directory / "artifacts"),
    }
    chosen_settings = settings.read(values)
    database = open_database(chosen)
    runs = Runs(database, open_store(chosen_settings.artifacts_url), send=lambda _: None)
    return Services(chosen_settings, runs, FineTunes(database, send=lambda _: None))


@contextmanager
def served(directory: Path, url: str | None = None) -> Iterator[Served]:
    """A server in a thread of this process; nothing that is sent to a queue goes anywhere."""
    services = open_filled_services(directory, url)
    try:
        filled = fill(services.runs.database, services.runs.artifacts)
        with answering(services) as address:
            yield Served(address, services, filled)
    finally:
        services.runs.database.close()


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


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise AssertionError("the server did not start")
        time.sleep(0.01)

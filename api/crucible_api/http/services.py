"""What every handler works with: the services over one database, opened once per server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from crucible_api.fine_tune_checks import missing_trainer
from crucible_api.fine_tunes import FineTunes
from crucible_api.http.following import Following
from crucible_api.judging_host import try_sandbox
from crucible_api.runs import Runs
from crucible_api.turns import Turns
from crucible_infra.artifacts import open_store
from crucible_infra.database import open_database
from crucible_infra.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """The doors' services; their methods block, so handlers that call them are plain functions."""

    settings: Settings
    runs: Runs
    fine_tunes: FineTunes
    #: whether this process trains, where it does the work
    trains: bool = False
    following: Following = field(default_factory=Following)
    #: who begins what, where this process does the work
    turns: Turns = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "turns", Turns(self.runs, self.fine_tunes))


def open_services(settings: Settings) -> Services:
    """The services over the configured database and artifact store.

    Raises DatabaseUnavailable, SchemaOutdated, InvalidInput.
    """
    database = open_database(settings.database_url)
    runs = Runs(database, open_store(settings.artifacts_url))
    fine_tunes = FineTunes(database)
    return Services(
        settings,
        runs,
        fine_tunes,
        trains=settings.is_embedded and not missing_trainer(),
    )


def check_host(serving: Services, warn: Callable[[str], object] = lambda _: None) -> None:
    """Try the sandbox where this server judges; raises SandboxUnavailable."""
    if serving.settings.is_embedded:
        try_sandbox(warn)


def _of_request(request: Request) -> Services:
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


#: the parameter of a handler that needs them
Serving = Annotated[Services, Depends(_of_request)]

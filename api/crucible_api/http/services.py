"""What every handler works with: the services over one database, opened once per server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from crucible_api.fine_tunes import FineTunes
from crucible_api.runs import Runs
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


def open_services(settings: Settings) -> Services:
    """The services over the configured database and artifact store.

    Raises DatabaseUnavailable, SchemaOutdated, InvalidInput.
    """
    database = open_database(settings.database_url)
    return Services(
        settings, Runs(database, open_store(settings.artifacts_url)), FineTunes(database)
    )


def _of_request(request: Request) -> Services:
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


#: the parameter of a handler that needs them
Serving = Annotated[Services, Depends(_of_request)]

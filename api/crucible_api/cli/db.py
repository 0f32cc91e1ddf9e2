"""`crucible db upgrade`: bring the database's schema up to date."""

from __future__ import annotations

import click

from crucible_api.cli import options
from crucible_api.cli.output import Voice
from crucible_infra.settings import current

EPILOG = """\b
Examples:
  CRUCIBLE_DATABASE_URL=postgresql://crucible@db/crucible crucible db upgrade

A SQLite file is brought up to date whenever it is opened; a Postgres only by this command.
"""


@click.group(epilog=EPILOG)
def command() -> None:
    """Look after the database's schema."""


@command.command(epilog=EPILOG)
@options.speaking
@options.on_this_host
def upgrade(voice: Voice) -> None:
    """Bring the schema up to date; repeating it changes nothing."""
    from crucible_infra.database import upgrade as upgrade_schema

    version = upgrade_schema(current().database_url)
    if voice.is_json:
        voice.data({"schema": version})
    else:
        voice.answer(f"the schema is at {version}")

"""`crucible datasets`: the datasets known by name, and whether they are here already."""

from __future__ import annotations

from dataclasses import asdict

import click

from crucible_api.cli import options
from crucible_api.cli.output import Column, Voice
from crucible_infra.settings import current

COLUMNS = (
    Column("dataset", style="bold", is_whole=True),
    Column("here", is_whole=True),
    Column("licence"),
    # a broken URL is of no use
    Column("home", is_whole=True, is_extra=True),
)

EPILOG = """\b
Examples:
  crucible datasets
  crucible benchmark -d humaneval+            fetched once, then kept
  crucible benchmark -d ./my-challenges.jsonl  a file in any supported format
"""


@click.command(epilog=EPILOG)
@options.speaking
def command(voice: Voice) -> None:
    """List the datasets known by name; a path of a file works wherever a name does."""
    from crucible_api.catalogue import known_datasets

    found = known_datasets(current())
    if voice.is_json:
        voice.data([asdict(item) for item in found])
        return
    rows = [[item.name, "yes" if item.is_here else "no", item.licence, item.home] for item in found]
    voice.table(COLUMNS, rows)

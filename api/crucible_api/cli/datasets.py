"""`crucible datasets`: the datasets known by name, and whether they are here already."""

from __future__ import annotations

from dataclasses import asdict, dataclass

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


@dataclass(frozen=True, slots=True)
class Known:
    """One dataset that has a name."""

    name: str
    is_here: bool
    #: of the data, as its publisher states it
    licence: str
    #: where it comes from; a file dropped there by hand does as well
    home: str
    file: str | None


@click.command(epilog=EPILOG)
@options.speaking
def command(voice: Voice) -> None:
    """List the datasets known by name; a path of a file works wherever a name does."""
    found = _known()
    if voice.is_json:
        voice.data([asdict(item) for item in found])
        return
    rows = [[item.name, "yes" if item.is_here else "no", item.licence, item.home] for item in found]
    voice.table(COLUMNS, rows)


def _known() -> list[Known]:
    from crucible_tasks.challenges import known

    directory = current().cache_directory / "datasets"
    found = [
        Known(name, True, carried.licence, carried.home, None)
        for name, carried in known.CARRIED.items()
    ]
    for name in known.names():
        if name not in known.CARRIED:
            source = known.source_of(name)
            path = directory / source.file_name
            found.append(Known(name, path.exists(), source.licence, source.url, str(path)))
    return found

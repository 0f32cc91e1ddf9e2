"""`crucible config path`: which files are read, and whether they are there."""

from __future__ import annotations

import click

from crucible_api.cli import options
from crucible_api.cli.output import Column, Voice
from crucible_infra.settings import keys_file, places

COLUMNS = (Column("whose", style="bold"), Column("file"), Column("there"))


@click.command()
@options.voiced
def command(voice: Voice) -> None:
    """Name every file that configuration is read from, the weakest first."""
    where = places()
    found = [("system", path) for path in reversed(where.system)]
    found += [("user", where.user), ("keys", keys_file())]
    project = where.project()
    if project is not None:
        found.append(("project", project))
    if voice.is_json:
        voice.data([{"whose": whose, "file": str(path)} for whose, path in found])
        return
    voice.table(
        COLUMNS, [(whose, str(path), "yes" if path.exists() else "no") for whose, path in found]
    )

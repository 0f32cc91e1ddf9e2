"""`crucible config list`: the project files that are trusted, and whether they still are."""

from __future__ import annotations

from pathlib import Path

import click

from crucible_api.cli import options
from crucible_api.cli.output import Column, Voice
from crucible_infra import trust
from crucible_infra.configuration import read_project_file
from crucible_infra.errors import InvalidInput
from crucible_infra.settings import places
from crucible_infra.small_file import shown

COLUMNS = (Column("file", style="bold"), Column("standing"))


@click.command()
@options.voiced
def command(voice: Voice) -> None:
    """List the project files that were trusted."""
    store = places().trusted
    found = [(file, _standing(store, Path(file))) for file in sorted(trust.trusted_files(store))]
    if voice.is_json:
        voice.data([{"file": file, "standing": standing} for file, standing in found])
    elif found:
        voice.table(COLUMNS, [(shown(file), standing) for file, standing in found])
    else:
        voice.talk("no project file is trusted: crucible config trust")


def _standing(store: Path, file: Path) -> str:
    try:
        content = read_project_file(file)
    except InvalidInput:
        content = b""
    if content is None:
        return "gone"
    return "trusted" if trust.is_trusted(store, file, content) else "changed, so not trusted"

"""`crucible config untrust`: let a project's file count no more."""

from __future__ import annotations

import click

from crucible_api.cli import options
from crucible_api.cli.output import Voice
from crucible_api.cli.project_file import find_project_file
from crucible_infra import trust
from crucible_infra.errors import InvalidInput
from crucible_infra.settings import places
from crucible_infra.small_file import shown


@click.command()
@click.argument("path", required=False)
@options.voiced
def command(voice: Voice, *, path: str | None) -> None:
    """Trust the .crucible.toml at PATH, else the nearest one, no more; it may be gone already."""
    file = find_project_file(path)
    if not trust.untrust(places().trusted, file):
        raise InvalidInput(
            f"{shown(file)} was not trusted", hint="crucible config list names those that are"
        )
    if voice.is_json:
        voice.data({"file": str(file)})
    else:
        voice.answer(f"no longer trusted: {shown(file)}")

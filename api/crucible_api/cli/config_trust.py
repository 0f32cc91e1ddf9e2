"""`crucible config trust`: let a project's file count, as long as not a byte of it changes."""

from __future__ import annotations

import click

from crucible_api.cli import options
from crucible_api.cli.output import Voice
from crucible_api.cli.project_file import find_project_file, read_whole
from crucible_infra import trust
from crucible_infra.settings import places


@click.command()
@click.argument("path", required=False)
@options.voiced
def command(voice: Voice, *, path: str | None) -> None:
    """Trust the .crucible.toml at PATH, else the nearest one.

    Read it first: it may then send what you ask, and keys that it names, to servers of its choice,
    and choose what isolates programs. When it changes it has to be trusted again.
    """
    file = find_project_file(path)
    content, said = read_whole(file)
    trust.trust(places().trusted, file, content)
    if voice.is_json:
        voice.data({"file": str(file), "digest": trust.digest_of(content), "sets": said.told()})
        return
    voice.answer(f"trusted {file}")
    voice.talk(f"it sets {', '.join(said.told()) or 'nothing'}")

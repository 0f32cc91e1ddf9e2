"""`crucible token revoke`: let nobody in by a token any more."""

from __future__ import annotations

import click

from crucible_api.cli import options
from crucible_api.cli.output import Voice
from crucible_infra.settings import current


@click.command()
@click.argument("name")
@options.speaking
@options.on_this_host
def command(voice: Voice, *, name: str) -> None:
    """Revoke the token called NAME; a running server refuses it from the next request on."""
    from crucible_api.tokens import open_tokens

    open_tokens(current()).revoke(name)
    if voice.is_json:
        voice.data({"name": name})
    voice.talk(f"token {name} lets nobody in any more")

"""`crucible token list`: the names of tokens, and how long they are good."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from crucible_api.cli import options
from crucible_api.cli.output import Column, Voice
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.tokens import Token

COLUMNS = (Column("token", style="bold"), Column("made"), Column("good until"))


@click.command()
@options.speaking
@options.on_this_host
def command(voice: Voice) -> None:
    """List the tokens of this host's server; none of them can be shown again."""
    from crucible_api.tokens import open_tokens

    tokens = open_tokens(current()).all()
    if voice.is_json:
        voice.data(
            [
                {"name": one.name, "created_at": one.created_at, "expires_at": one.expires_at}
                for one in tokens
            ]
        )
        return
    if not tokens:
        voice.talk("there is no token yet: crucible token create NAME")
        return
    voice.table(COLUMNS, [[one.name, _day(one.created_at), _end(one)] for one in tokens])


def _end(token: Token) -> str:
    if token.expires_at is None:
        return "it is revoked"
    return f"{_day(token.expires_at)} (over)" if token.is_over else _day(token.expires_at)


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moment))

"""`crucible logs list`: the latest conversations."""

from __future__ import annotations

import time
from dataclasses import asdict

import click

from crucible_api.cli import options
from crucible_api.cli.harmless import harmless
from crucible_api.cli.output import Column, Voice
from crucible_infra.settings import current

COLUMNS = (
    Column("conversation", style="bold", is_whole=True),
    Column("last", is_whole=True, is_extra=True),
    Column("exchanges", is_number=True),
    Column("began with"),
)

EPILOG = """\b
Examples:
  crucible logs list
  crucible logs list -n 100 "regular expression"
  crucible logs list --json | jq -r '.[].id'
"""


@click.command(epilog=EPILOG)
@click.argument("words", nargs=-1, metavar="[WORD]…")
@click.option(
    "-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N"
)
@options.speaking
def command(voice: Voice, *, words: tuple[str, ...], limit: int) -> None:
    """List the latest conversations, newest first; with words, those in which they were said."""
    from crucible_api.conversations import open_conversations

    found = open_conversations(current()).newest(limit, " ".join(words) or None)
    if voice.is_json:
        voice.data([asdict(each) for each in found])
    elif found:
        rows = [
            [
                each.id,
                time.strftime("%Y-%m-%d %H:%M", time.localtime(each.changed_at)),
                str(each.exchanges),
                harmless(each.title),
            ]
            for each in found
        ]
        voice.table(COLUMNS, rows)
    else:
        voice.talk("no conversation has these words" if words else "nothing was asked yet")

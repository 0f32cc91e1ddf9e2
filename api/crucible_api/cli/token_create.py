"""`crucible token create`: make a token, and show it once."""

from __future__ import annotations

import click

from crucible_api.cli import options
from crucible_api.cli.output import Voice
from crucible_infra.settings import current

EPILOG = """\b
Examples:
  crucible token create laptop
  crucible token create ci --days 30 > token.txt

On the other host: CRUCIBLE_SERVER=https://HOST CRUCIBLE_TOKEN=… crucible runs list
"""


@click.command(epilog=EPILOG)
@click.argument("name", default="default")
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True, max=36_500),
    metavar="N",
    help="How long it is good.  [default: until it is revoked]",
)
@options.speaking
@options.on_this_host
def command(voice: Voice, *, name: str, days: float | None) -> None:
    """Make a token called NAME (or `default`), and print it: it cannot be shown again."""
    from crucible_api.tokens import open_tokens

    tokens = open_tokens(current())
    text = tokens.create(name, days)
    if voice.is_json:
        voice.data({"name": name, "token": text})
    else:
        voice.answer(text)
    voice.talk(f"token {name} is made; only its digest is kept, in {tokens.path}")

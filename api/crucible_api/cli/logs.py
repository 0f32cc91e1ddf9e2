"""`crucible logs`: what was asked and answered."""

from __future__ import annotations

import click

from crucible_api.cli.lazy import LazyGroup, Listed

_HERE = "crucible_api.cli"

COMMANDS = (
    Listed("list", "the latest conversations, or those with certain words", f"{_HERE}.logs_list"),
    Listed("show", "one conversation, word for word", f"{_HERE}.logs_show"),
)

EPILOG = """\b
Examples:
  crucible logs list
  crucible logs list "regular expression"
  crucible logs show latest

`crucible ask -c` goes on with the latest conversation, `--cid ID` with any other. They are kept in
the database until it is deleted; `--no-log` keeps nothing.
"""


@click.group(cls=LazyGroup, listed=COMMANDS, epilog=EPILOG, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Look at what was asked and answered."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())

"""`crucible sweeps`: look at runs that were planned together."""

from __future__ import annotations

import click

from crucible_api.cli.lazy import LazyGroup, Listed

_HERE = "crucible_api.cli"

COMMANDS = (
    Listed("list", "the latest sweeps", f"{_HERE}.sweeps_list"),
    Listed("show", "one sweep: progress, scores, the best setting", f"{_HERE}.sweeps_show"),
)

EPILOG = """\b
Examples:
  crucible sweeps list
  crucible sweeps show latest

`crucible benchmark` with several values, or with --sweep FILE, makes a sweep. The commands
`crucible runs follow|pause|stop|resume|priority` take a sweep's id too.
"""


@click.group(cls=LazyGroup, listed=COMMANDS, epilog=EPILOG, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Look at runs that were planned together."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())

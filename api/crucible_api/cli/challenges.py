"""`crucible challenges`: benchmarks of one's own."""

from __future__ import annotations

import click

from crucible_api.cli.lazy import LazyGroup, Listed

COMMANDS = (
    Listed(
        "build",
        "make challenges from a repository and its tests",
        "crucible_api.cli.challenges_build",
    ),
)


@click.group(cls=LazyGroup, listed=COMMANDS, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Make benchmarks of one's own."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())

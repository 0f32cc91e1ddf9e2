"""`crucible corpus`: make training examples from a source tree, and look at them."""

from __future__ import annotations

import click

from crucible_api.cli.lazy import LazyGroup, Listed

_HERE = "crucible_api.cli"

COMMANDS = (
    Listed("build", "a source tree to training examples", f"{_HERE}.corpus_build"),
    Listed("show", "what a corpus holds and what was left out", f"{_HERE}.corpus_show"),
)

EPILOG = """\b
Examples:
  crucible corpus build ./src --dry-run
  crucible corpus show "$(crucible corpus build ./src)"
"""


@click.group(cls=LazyGroup, listed=COMMANDS, epilog=EPILOG, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Make training examples from a source tree, and look at them."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())

"""`crucible token`: tokens of the server that `crucible serve` starts on this host."""

from __future__ import annotations

import click

from crucible_api.cli.lazy import LazyGroup, Listed

_HERE = "crucible_api.cli"

COMMANDS = (
    Listed("create", "make one; it is shown once", f"{_HERE}.token_create"),
    Listed("list", "their names, and how long they are good", f"{_HERE}.token_list"),
    Listed("revoke", "let nobody in by one any more", f"{_HERE}.token_revoke"),
)

EPILOG = """\b
Examples:
  crucible token create laptop --days 90
  crucible token list
  crucible token revoke laptop

Beyond loopback, and with --require-token, crucible serve lets only those in who have one. Whoever
has one may do what you may with crucible on this host. Only its digest is kept. A token that is
revoked is refused from the next request on, and whoever follows a run with it, within five minutes.
"""


@click.group(cls=LazyGroup, listed=COMMANDS, epilog=EPILOG, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Make, list and revoke the tokens of this host's server."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())

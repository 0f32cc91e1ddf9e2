"""`crucible fine-tunes`: look at fine-tunes, stop them, go on with them."""

from __future__ import annotations

import click

from crucible_api.cli.lazy import LazyGroup, Listed

_HERE = "crucible_api.cli"

#: a FINE_TUNE argument means the same everywhere
HELP = (
    "FINE_TUNE is the name of its model, its id, the id's beginning or last four characters, or "
    "`latest`."
)

COMMANDS = (
    Listed("list", "the latest fine-tunes", f"{_HERE}.fine_tunes_list"),
    Listed("show", "one fine-tune: losses, perplexity, proof", f"{_HERE}.fine_tunes_show"),
    Listed("follow", "watch one until it is done and proved", f"{_HERE}.fine_tunes_follow"),
    Listed("stop", "stop one after a checkpoint", f"{_HERE}.fine_tunes_stop"),
    Listed("resume", "go on from the last checkpoint", f"{_HERE}.fine_tunes_resume"),
    Listed("remove", "forget one and its model, and free the name", f"{_HERE}.fine_tunes_remove"),
)

EPILOG = f"""\b
Examples:
  crucible fine-tunes list
  crucible fine-tunes show my-project-codellama
  crucible fine-tunes resume latest
  crucible fine-tunes remove my-project-codellama

{HELP}
"""


@click.group(cls=LazyGroup, listed=COMMANDS, epilog=EPILOG, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Look at fine-tunes, stop them, go on with them."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())

"""`crucible runs`: look at runs, pause and stop them, go on with them, judge them again."""

from __future__ import annotations

import click

from crucible_api.cli.lazy import LazyGroup, Listed

_HERE = "crucible_api.cli"

COMMANDS = (
    Listed("list", "the latest runs", f"{_HERE}.runs_list"),
    Listed("show", "one run: scores, outcomes, what is missing", f"{_HERE}.runs_show"),
    Listed("follow", "watch a run or sweep until it is done", f"{_HERE}.runs_follow"),
    Listed("pause", "let runs wait; others go on", f"{_HERE}.runs_pause"),
    Listed("stop", "stop runs; nothing is lost", f"{_HERE}.runs_stop"),
    Listed("resume", "go on with runs: paused, stopped or killed", f"{_HERE}.runs_resume"),
    Listed("priority", "change which runs go first", f"{_HERE}.runs_priority"),
    Listed("regrade", "judge a run's completions again", f"{_HERE}.runs_regrade"),
    Listed("export", "write a run's manifest, completions and verdicts", f"{_HERE}.runs_export"),
)

EPILOG = """\b
Examples:
  crucible runs list
  crucible runs show latest
  crucible runs resume latest
  crucible runs export 20260131-12 results/
"""


@click.group(cls=LazyGroup, listed=COMMANDS, epilog=EPILOG, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Look at runs, pause and stop them, go on with them, judge them again."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())

"""`crucible runs priority`: let runs or sweeps go before or after others."""

from __future__ import annotations

from functools import partial

import click

from crucible_api.cli import options, selection
from crucible_api.cli.output import Voice
from crucible_infra.settings import current
from crucible_tasks.priority import PRIORITIES

EPILOG = f"""\b
Examples:
  crucible runs priority latest --to 10
  crucible runs priority 20260131-120000-abcd --to -5

{selection.HELP}
"""


@click.command(epilog=EPILOG)
@selection.names
@click.option(
    "--to",
    "priority",
    type=click.IntRange(PRIORITIES.start, PRIORITIES.stop - 1),
    metavar="P",
    required=True,
    help="-10 to 10; runs begin with 0, and higher goes first.",
)
@options.speaking
def command(voice: Voice, *, names: tuple[str, ...], priority: int) -> None:
    """Change what goes first on a cluster, while it runs.

    Works from any machine that reaches the database or the server; what is under way is not called
    back.
    """
    from crucible_api.run_service import open_runs

    runs = open_runs(current())
    alter = partial(runs.set_priority, priority=priority)
    changed = selection.change(runs, names, alter, "put first", voice)
    if changed:
        voice.talk(f"priority {priority}: {selection.named(changed)}")

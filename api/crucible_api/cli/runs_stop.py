"""`crucible runs stop`: stop runs or sweeps without losing anything."""

from __future__ import annotations

import click

from crucible_api.cli import options, selection
from crucible_api.cli.output import Voice
from crucible_infra.settings import current

EPILOG = f"""\b
Examples:
  crucible runs stop latest
  crucible runs stop 20260131-12 20260131-13

{selection.HELP}
"""


@click.command(epilog=EPILOG)
@selection.names
@options.speaking
def command(voice: Voice, *, names: tuple[str, ...]) -> None:
    """Stop runs; what they have so far stays, and `resume` goes on from there.

    Works from any machine that reaches the database or the server.
    """
    from crucible_api.run_service import open_runs

    runs = open_runs(current())
    stopped = selection.change(runs, names, runs.stop, "stop", voice)
    if stopped:
        ids = selection.named(stopped)
        voice.talk(f"stopped; nothing is lost: crucible runs resume {ids}")

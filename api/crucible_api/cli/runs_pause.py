"""`crucible runs pause`: let runs or sweeps wait while others go on."""

from __future__ import annotations

import click

from crucible_api.cli import options, selection
from crucible_api.cli.output import Voice
from crucible_infra.settings import current

EPILOG = f"""\b
Examples:
  crucible runs pause latest
  crucible runs pause 20260131-120000-abcd && crucible runs resume 20260131-120000-abcd

On a cluster, what is under way is still stored, and whoever follows a run waits for it. Without
one, the command that works on the run goes on to the next of its sweep, or ends; `resume` takes
the work up in its own process. {selection.HELP}
"""


@click.command(epilog=EPILOG)
@selection.names
@options.speaking
def command(voice: Voice, *, names: tuple[str, ...]) -> None:
    """Send nothing new for runs until they are resumed.

    Works from any machine that reaches the database or the server.
    """
    from crucible_api.run_service import open_runs

    runs = open_runs(current())
    paused = selection.change(runs, names, runs.pause, "pause", voice)
    if paused:
        voice.talk(f"paused; go on with: crucible runs resume {selection.named(paused)}")

"""`crucible runs stop`: stop runs without losing anything."""

from __future__ import annotations

import click

from crucible_api.cli import options
from crucible_api.cli.output import Voice
from crucible_infra.settings import current

EPILOG = f"""\b
Examples:
  crucible runs stop latest
  crucible runs stop 20260131-12 20260131-13

{options.RUN_HELP}
"""


@click.command(epilog=EPILOG)
@click.argument("names", metavar="RUN…", nargs=-1, required=True)
@options.speaking
def command(voice: Voice, *, names: tuple[str, ...]) -> None:
    """Stop runs; what they have so far stays, and `resume` goes on from there."""
    from crucible_api.runs import open_runs

    runs = open_runs(current())
    found = list(dict.fromkeys(runs.find_run(name).id for name in names))
    stopped = [run_id for run_id in found if runs.stop(run_id)]
    states = {run_id: runs.progress(run_id).state for run_id in found}
    if voice.is_json:
        voice.data([{"run": run_id, "state": str(state)} for run_id, state in states.items()])
    for run_id, state in states.items():
        if run_id not in stopped:
            voice.talk(f"run {run_id} is {state} already; there is nothing to stop")
    if stopped:
        voice.talk(f"stopped; nothing is lost: crucible runs resume {' '.join(stopped)}")

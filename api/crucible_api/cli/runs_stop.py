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
    found = [runs.find_run(name).id for name in names]
    for run_id in found:
        runs.stop(run_id)
    if voice.is_json:
        voice.data([{"run": run_id, "state": str(runs.progress(run_id).state)} for run_id in found])
    voice.talk(f"nothing is lost: crucible runs resume {' '.join(found)}")

"""`crucible runs follow`: watch a run until it is done."""

from __future__ import annotations

import click

from crucible_api.cli import options
from crucible_api.cli.output import Voice
from crucible_infra.errors import InvalidInput
from crucible_infra.settings import current

EPILOG = f"""\b
Examples:
  crucible runs follow latest

Ctrl-C leaves the run alone. {options.RUN_HELP}
"""


@click.command(epilog=EPILOG)
@options.run
@options.gate
@options.speaking
def command(voice: Voice, *, run: str, gate: options.Gate | None) -> None:
    """Watch a run until it is done, then print its result."""
    from crucible_api.cli import following, interruption, report
    from crucible_api.runs import open_runs
    from crucible_tasks.planning import RunState

    runs = open_runs(current())
    found = runs.find_run(run)
    if found.state is RunState.PLANNED:
        raise InvalidInput(
            f"run {found.id} was never started", hint=f"crucible runs resume {found.id}"
        )
    try:
        following.follow(runs, found.id, voice)
    except KeyboardInterrupt as interrupt:
        interruption.say(interrupt, f"still running; crucible runs stop {found.id}", voice)
        raise
    summary = runs.summary(found.id)
    report.show([summary], voice)
    following.demand([summary], gate)

"""`crucible runs follow`: watch a run or a sweep until it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crucible_api.cli import options, selection
from crucible_api.cli.output import Voice
from crucible_infra.errors import InvalidInput
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.run_service import RunService
    from crucible_api.sweep_reports import Selected

EPILOG = f"""\b
Examples:
  crucible runs follow latest
  crucible runs follow 20260131-120000-abcd

Ctrl-C leaves the run alone. The time left is an estimate from the last five minutes; it is
unknown until verdicts have come in for some seconds. {selection.HELP}
"""


@click.command(epilog=EPILOG)
@click.argument("name", metavar="RUN_OR_SWEEP")
@options.gate
@options.speaking
def command(voice: Voice, *, name: str, gate: options.Gate | None) -> None:
    """Watch a run or a sweep until it is done, then print its result.

    Works from any machine that reaches the database or the server.
    """
    from crucible_api.cli import following, interruption, report
    from crucible_api.run_service import open_runs

    runs = open_runs(current())
    found = runs.select(name)
    _refuse_planned(runs, found)
    run_ids = [run.id for run in found.runs]
    try:
        following.follow(runs, run_ids, voice, name=f"sweep {found.id}")
    except KeyboardInterrupt as interrupt:
        interruption.say(interrupt, f"still running; crucible runs stop {found.id}", voice)
        raise
    summaries = [runs.summary(run_id) for run_id in run_ids]
    report.show(summaries, voice)
    following.demand(summaries, gate)


def _refuse_planned(runs: RunService, found: Selected) -> None:
    """Raise InvalidInput for what nobody will ever begin by itself."""
    from crucible_tasks.planning import RunState

    for run in found.runs:
        if run.state is not RunState.PLANNED or runs.progress(run.id).is_owned:
            return
    noun = "run" if found.sweep_id is None else "sweep"
    raise InvalidInput(
        f"{noun} {found.id} was never started", hint=f"crucible runs resume {found.id}"
    )

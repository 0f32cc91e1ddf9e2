"""`crucible runs resume`: go on with runs or sweeps that were paused, stopped or killed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from crucible_api.cli import options, selection
from crucible_api.cli.output import Voice
from crucible_infra.errors import InvalidInput
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.reports import RunInfo
    from crucible_api.run_service import RunService
    from crucible_api.sweep_reports import Selected

EPILOG = f"""\b
Examples:
  crucible runs resume latest
  crucible runs resume 20260131-12 20260131-13
  crucible runs resume 20260131-120000-abcd --detach

What has a verdict is not sampled or judged again. {selection.HELP}
"""


@click.command(epilog=EPILOG)
@selection.names
@click.option("--detach", "is_detached", is_flag=True, help="Let the cluster go on, and leave.")
@options.gate
@options.speaking
def command(
    voice: Voice, *, names: tuple[str, ...], is_detached: bool, gate: options.Gate | None
) -> None:
    """Go on with runs that were paused, stopped, killed or left incomplete; print their results."""
    from crucible_api.cli import following, report
    from crucible_api.cli.hands import run_hands
    from crucible_api.model_choice import refuse_dead_servers
    from crucible_api.run_service import open_runs

    runs = open_runs(current())
    selected = selection.chosen(runs, names)
    wanted = [run for one in selected for run in one.runs if _is_wanted(run, one)]
    if is_detached:
        _hand_over(runs, selected, wanted, voice)
        return
    run_ids = [run.id for run in selection.each_run(selected)]
    begun = {run.id for run in wanted}
    with run_hands(voice):
        # a server asks its own workers when it is told to go on
        if current().server is None:
            refuse_dead_servers(runs, wanted)
        with following.stoppable(runs, run_ids, voice):
            begin = runs.resume if current().runs_here else None
            if begin is None:
                for run_id in begun:
                    runs.resume(run_id)
            mine = [run_id for run_id in run_ids if begin is None or run_id in begun]
            following.follow(runs, mine, voice, begin=begin, name=selection.named(selected))
    summaries = [runs.summary(run_id) for run_id in run_ids]
    report.show(summaries, voice)
    following.demand(summaries, gate)


def _is_wanted(run: RunInfo, one: Selected) -> bool:
    """Whether to send what is missing: all of what is named, and what lies still of a sweep."""
    from crucible_tasks.planning import RunState

    if one.sweep_id is None:
        return True
    return run.state not in (RunState.RUNNING, RunState.FINISHED)


def _hand_over(
    runs: RunService, selected: Sequence[Selected], wanted: Sequence[RunInfo], voice: Voice
) -> None:
    """Let the cluster do it; a host without its broker leaves word in the database."""
    settings = current()
    if settings.runs_here and settings.database_url.startswith("sqlite"):
        raise InvalidInput(
            "--detach needs a cluster: nothing would go on after this process ends",
            hint="leave --detach out, or set CRUCIBLE_DATABASE_URL to the cluster's database",
        )
    go_on = runs.hand_over if settings.runs_here else runs.resume
    for run in wanted:
        go_on(run.id)
    if voice.is_json:
        voice.data([{"run": run.id, "state": str(runs.find_run(run.id).state)} for run in wanted])
    ids = selection.named(selected)
    voice.talk(f"goes on; crucible runs follow {ids}")

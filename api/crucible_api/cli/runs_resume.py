"""`crucible runs resume`: go on with runs that were stopped, killed or left incomplete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from crucible_api.cli import options
from crucible_api.cli.output import Voice
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.runs import Runs

EPILOG = f"""\b
Examples:
  crucible runs resume latest
  crucible runs resume 20260131-12 20260131-13

What has a verdict is not sampled or judged again. {options.RUN_HELP}
"""


@click.command(epilog=EPILOG)
@click.argument("names", metavar="RUN…", nargs=-1, required=True)
@options.gate
@options.speaking
def command(voice: Voice, *, names: tuple[str, ...], gate: options.Gate | None) -> None:
    """Go on with runs that were stopped, killed or left incomplete, and print their results."""
    from crucible_api.cli import following, report
    from crucible_api.cli.hands import judging_hands
    from crucible_api.runs import open_runs

    runs = open_runs(current())
    found = list(dict.fromkeys(runs.find_run(name).id for name in names))
    with judging_hands(voice):
        _refuse_dead_servers(runs, found)
        with following.stoppable(runs, found, voice):
            for number, run_id in enumerate(found, start=1):
                runs.resume(run_id)
                label = f"{number}/{len(found)} {run_id}" if len(found) > 1 else ""
                following.follow(runs, run_id, voice, label=label)
    summaries = [runs.summary(run_id) for run_id in found]
    report.show(summaries, voice)
    following.demand(summaries, gate)


def _refuse_dead_servers(runs: Runs, run_ids: Sequence[str]) -> None:
    """Raise ModelError before anything is waited for when what is missing cannot be sampled."""
    from crucible_api.cli.model_choice import describe

    specs = dict.fromkeys(
        runs.find_run(run_id).model
        for run_id in run_ids
        if (progress := runs.progress(run_id)).generated < progress.planned
    )
    for spec in specs:
        describe(spec)

"""`crucible runs regrade`: judge a run's completions again without sampling any."""

from __future__ import annotations

import click

from crucible_api.cli import options
from crucible_api.cli.output import Voice
from crucible_infra.settings import current

EPILOG = f"""\b
Examples:
  crucible runs regrade latest

Useful after an upgrade of the grader or the extractor, or when a sandbox was faulty.
{options.RUN_HELP}
"""


@click.command(epilog=EPILOG)
@options.run
@options.gate
@options.speaking
def command(voice: Voice, *, run: str, gate: options.Gate | None) -> None:
    """Judge every completion of a run again; the texts stay as they were sampled."""
    from crucible_api.cli import following, report
    from crucible_api.cli.hands import run_hands
    from crucible_api.run_service import open_runs

    runs = open_runs(current())
    run_id = runs.find_run(run).id
    with run_hands(voice), following.stoppable(runs, [run_id], voice):
        runs.regrade(run_id)
        following.follow(runs, [run_id], voice)
    summary = runs.summary(run_id)
    report.show([summary], voice)
    following.demand([summary], gate)

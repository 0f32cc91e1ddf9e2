"""`crucible sweeps list`: the latest sweeps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from crucible_api.cli import options
from crucible_api.cli.output import Column, Voice
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.sweep_reports import SweepInfo

COLUMNS = (
    Column("sweep", style="bold", is_whole=True),
    Column("started", is_whole=True, is_extra=True),
    Column("runs", is_number=True),
    Column("state"),
    Column("models"),
    Column("datasets"),
)

EPILOG = """\b
Examples:
  crucible sweeps list
  crucible sweeps list --json | jq -r '.[] | select(.states.paused) | .sweep'
"""


@click.command(epilog=EPILOG)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@options.speaking
def command(voice: Voice, *, limit: int) -> None:
    """List the latest sweeps, newest first."""
    from crucible_api.run_service import open_runs

    found = open_runs(current()).list_sweeps(limit)
    if voice.is_json:
        voice.data([plain(sweep) for sweep in found])
    elif found:
        voice.table(COLUMNS, [_row(sweep) for sweep in found])
    else:
        voice.talk("no sweeps yet; crucible benchmark --help shows how to make one")


def plain(sweep: SweepInfo) -> dict[str, object]:
    """A sweep as programs read it."""
    return {
        "sweep": sweep.id,
        "created_at": sweep.created_at,
        "states": {str(state): count for state, count in sweep.states},
        "models": list(sweep.models),
        "datasets": list(sweep.datasets),
        "completions": sweep.completions,
    }


def states_text(sweep: SweepInfo) -> str:
    """Where its runs stand: `finished`, or `2 running, 10 finished`."""
    if len(sweep.states) == 1:
        return str(sweep.states[0][0])
    return ", ".join(f"{count} {state}" for state, count in sweep.states)


def _row(sweep: SweepInfo) -> list[str]:
    from crucible_tasks.router import shown

    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(sweep.created_at))
    return [
        sweep.id,
        started,
        str(sweep.runs),
        states_text(sweep),
        ", ".join(map(shown, sweep.models)),
        ", ".join(sweep.datasets),
    ]

"""`crucible runs list`: the latest runs."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from crucible_api.cli import options
from crucible_api.cli.output import Column, Voice
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.reports import RunInfo

COLUMNS = (
    Column("run", style="bold"),
    Column("started"),
    Column("kind"),
    Column("state"),
    Column("model or file"),
    Column("dataset"),
    Column("n", is_number=True),
)

EPILOG = """\b
Examples:
  crucible runs list
  crucible runs list --limit 100 --json | jq -r '.[] | select(.state == "stopped") | .id'
"""


@click.command(epilog=EPILOG)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@options.speaking
def command(voice: Voice, *, limit: int) -> None:
    """List the latest runs, newest first."""
    from crucible_api.runs import open_runs

    found = open_runs(current()).list_runs(limit)
    if voice.is_json:
        voice.data([_plain(run) for run in found])
    elif found:
        voice.table(COLUMNS, [_row(run) for run in found])
    else:
        voice.talk("no runs yet; start with: crucible benchmark")


def _plain(run: RunInfo) -> dict[str, object]:
    return {**asdict(run), "kind": str(run.kind), "state": str(run.state)}


def _row(run: RunInfo) -> list[str]:
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.created_at))
    dataset = f"{run.dataset} ({run.challenges})"
    return [run.id, started, str(run.kind), str(run.state), run.model, dataset, str(run.n)]

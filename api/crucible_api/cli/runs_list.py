"""`crucible runs list`: the latest runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from crucible_api.cli import options
from crucible_api.cli.output import Column, Voice, duration
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.reports import RunInfo

COLUMNS = (
    Column("run", style="bold", is_whole=True),
    Column("started", is_whole=True, is_extra=True),
    Column("kind", is_whole=True, is_extra=True),
    Column("state", is_whole=True),
    Column("model or file"),
    Column("dataset"),
    Column("n", is_number=True),
)

#: the last column where a run was asked in a wording of the user's own
PROMPT = Column("prompt")

#: a message to a live model may take some minutes
_SILENT_SECONDS = 900.0

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
    from crucible_api.cli.report import tells_prompt
    from crucible_api.run_service import open_runs

    found = open_runs(current()).list_runs(limit)
    if voice.is_json:
        voice.data([_plain(run) for run in found])
    elif found:
        has_prompt = tells_prompt(found)
        columns = (*COLUMNS, PROMPT) if has_prompt else COLUMNS
        voice.table(columns, [_row(run, has_prompt=has_prompt) for run in found])
        _hint(found, voice)
    else:
        voice.talk("no runs yet; start with: crucible benchmark")


def _hint(found: Sequence[RunInfo], voice: Voice) -> None:
    """What to do about runs that nobody works on."""
    from crucible_tasks.planning import RunState

    left = [run.id for run in found if run.state is RunState.INTERRUPTED]
    if left:
        voice.talk(
            f"interrupted means its process has ended: crucible runs resume {' '.join(left)}"
        )
    if current().runs_here:
        return
    for run in found:
        silent = time.time() - max(run.created_at, run.heard_at or 0.0)
        if run.state is RunState.RUNNING and silent > _SILENT_SECONDS:
            voice.talk(
                f"no worker has answered {run.id} for {duration(silent)}; are there workers?"
            )


def _plain(run: RunInfo) -> dict[str, object]:
    return {**asdict(run), "kind": str(run.kind), "state": str(run.state)}


def _row(run: RunInfo, *, has_prompt: bool) -> list[str]:
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.created_at))
    dataset = f"{run.dataset} ({run.challenges})"
    prompt = [run.prompt or ""] if has_prompt else []
    return [
        run.id,
        started,
        str(run.kind),
        str(run.state),
        run.model_text,
        dataset,
        str(run.n),
        *prompt,
    ]

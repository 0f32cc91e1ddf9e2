"""`crucible runs show`: one run's scores, outcomes and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from crucible_api.cli import options
from crucible_api.cli.output import Column, Voice
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.reports import Gap, RunSummary, VerdictRow

EPILOG = f"""\b
Examples:
  crucible runs show latest
  crucible runs show latest --verdicts
  crucible runs show 20260131-12 --json | jq .manifest

{options.RUN_HELP}
"""

#: challenges named per reason; more would push the scores off the screen
_SHOWN_CHALLENGES = 8

#: reasons named; a reason that holds a challenge's name is another one for each
_SHOWN_GAPS = 10

VERDICT_COLUMNS = (
    Column("challenge", style="bold", is_whole=True),
    Column("index", is_number=True),
    Column("outcome", is_whole=True),
    Column("cpu s", is_number=True),
    Column("detail"),
)


@click.command(epilog=EPILOG)
@options.run
@click.option("--verdicts", "with_verdicts", is_flag=True, help="Every completion's verdict too.")
@options.speaking
def command(voice: Voice, *, run: str, with_verdicts: bool) -> None:
    """Show a run's scores, how its completions ended, and what is missing."""
    from crucible_api.cli import report
    from crucible_api.run_service import open_runs

    runs = open_runs(current())
    run_id = runs.find_run(run).id
    summary = runs.summary(run_id)
    rows = runs.verdict_rows(run_id) if with_verdicts else ()
    if voice.is_json:
        verdicts = {"verdicts": [_plain(row) for row in rows]} if with_verdicts else {}
        voice.data(report.run_object(summary) | verdicts)
        return
    report.show([summary], voice)
    _show_outcomes(summary, voice)
    if rows:
        voice.answer("")
        voice.table(VERDICT_COLUMNS, _verdict_rows(rows))


def _show_outcomes(summary: RunSummary, voice: Voice) -> None:
    from crucible_tasks.planning import RunState

    counts = ", ".join(f"{item.outcome} {item.count}" for item in summary.outcomes) or "none yet"
    voice.answer(f"state: {summary.run.state}; outcomes: {counts}; grader: {summary.run.grader}")
    gaps = summary.progress.gaps
    for gap in gaps[:_SHOWN_GAPS]:
        voice.answer(_gap_text(gap, is_open=not summary.progress.is_over))
    if len(gaps) > _SHOWN_GAPS:
        voice.answer(f"and {len(gaps) - _SHOWN_GAPS} more reasons (all with --json)")
    if summary.run.state is RunState.INTERRUPTED:
        voice.talk(f"its process has ended: crucible runs resume {summary.run.id}")


def _gap_text(gap: Gap, *, is_open: bool) -> str:
    names = ", ".join(gap.task_ids[:_SHOWN_CHALLENGES])
    more = len(gap.task_ids) - _SHOWN_CHALLENGES
    if more > 0:
        names += f" and {more} more (all with --json)"
    failed = "failed, will be asked again" if is_open else "failed"
    what = "given up" if gap.is_given_up else failed
    return f"{what}: {gap.stage} of {names}: {gap.reason}"


def _verdict_rows(rows: Sequence[VerdictRow]) -> list[list[str]]:
    return [
        [row.task_id, str(row.index), str(row.outcome), f"{row.cpu_seconds:.3f}", row.detail]
        for row in rows
    ]


def _plain(row: VerdictRow) -> dict[str, object]:
    return {
        "task_id": row.task_id,
        "index": row.index,
        "outcome": str(row.outcome),
        "passed": row.passed,
        "detail": row.detail,
        "cpu_seconds": row.cpu_seconds,
        "wall_seconds": row.wall_seconds,
        "mode": None if row.mode is None else str(row.mode),
        "isolation": row.isolation,
    }

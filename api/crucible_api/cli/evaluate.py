"""`crucible evaluate`: judge completions that are in a file already."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from crucible_api.cli import files, hands, options
from crucible_api.cli.output import Voice, plural
from crucible_api.wish import DEFAULT_DATASET
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.cli.options import Gate
    from crucible_api.reports import VerdictRow

EPILOG = """\b
Examples:
  crucible evaluate samples.jsonl
  crucible evaluate samples.jsonl.gz --dataset humaneval+ -k 1,10,100
  crucible evaluate samples.jsonl --dataset my-challenges.jsonl --output verdicts.jsonl
  crucible evaluate samples.jsonl --output - | jq -r 'select(.passed | not) | .task_id'
  crucible evaluate samples.jsonl --json --fail-under pass@1=80%

A row of SAMPLES carries `task_id` and one of `completion` (continues the prompt), `solution` (a
whole program), `response` (raw chat text) or `continuation` (a base model's raw text, cut where
the function ends).

A row of --output carries task_id, index, outcome,
passed, detail, cpu_seconds, wall_seconds, mode and isolation, in the order of SAMPLES.
"""


@click.command(epilog=EPILOG)
@click.argument("samples", metavar="SAMPLES")
@click.option(
    "-d",
    "--dataset",
    metavar="D",
    default=DEFAULT_DATASET,
    show_default=True,
    help="A known name or a file in any supported format.",
)
@options.ks
@options.limits
@options.gate
@options.output("The verdicts as JSON lines, one per row of SAMPLES.")
@options.speaking
def command(
    voice: Voice, *, gate: Gate | None, output: str | None, is_forced: bool, **rest: Any
) -> None:
    """Judge the completions of a samples file in the sandbox and print pass@k."""
    from crucible_api.cli import following, report
    from crucible_api.run_service import open_runs
    from crucible_api.wish import SamplesWish

    files.check_writable(output, is_forced=is_forced, is_json=voice.is_json)
    runs = open_runs(current())
    with hands.run_hands(voice):
        wish = SamplesWish(**rest)
        run_id = runs.plan_samples(wish)
        with following.stoppable(runs, [run_id], voice):
            total = plural(runs.progress(run_id).planned, "completion")
            voice.talk(f"{total} of {wish.samples} on {runs.find_run(run_id).dataset}")
            runs.start(run_id)
            following.follow(runs, [run_id], voice)
    summary = runs.summary(run_id)
    report.show([summary], voice, output=output)
    if output is not None:
        files.write(output, _lines(runs.verdict_rows(run_id)), voice)
    voice.talk(f"run {run_id}: crucible runs show {run_id} --verdicts")
    following.demand([summary], gate)


def _lines(rows: Sequence[VerdictRow]) -> Iterator[str]:
    for row in rows:
        yield json.dumps(
            {
                "task_id": row.task_id,
                "index": row.index,
                "outcome": str(row.outcome),
                "passed": row.passed,
                "detail": row.detail,
                "cpu_seconds": round(row.cpu_seconds, 6),
                "wall_seconds": round(row.wall_seconds, 6),
                "mode": None if row.mode is None else str(row.mode),
                "isolation": row.isolation,
            },
            ensure_ascii=False,
        )

"""`crucible sweeps show`: how far every run of a sweep is, its scores, and the best setting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from crucible_api.cli import options
from crucible_api.cli.output import Column, Voice, plural
from crucible_api.cli.report import (
    prompt_part,
    registered_object,
    score_object,
    score_part,
    score_text,
    tells_prompt,
    temperature_text,
)
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.sweep_reports import Best, SweepRun, SweepSummary

EPILOG = """\b
Examples:
  crucible sweeps show latest
  crucible sweeps show 20260131-120000-abcd -k 10
  crucible sweeps show latest --json | jq '.best[0].runs'

SWEEP is a sweep's id, its beginning, its last four characters, or `latest`. The best setting has
the highest score; runs that a paired comparison (crucible compare) cannot tell from it are named.
"""


@click.command(epilog=EPILOG)
@click.argument("sweep", metavar="SWEEP")
@click.option(
    "-k",
    "--k",
    "k",
    type=click.IntRange(min=1),
    metavar="K",
    help="The best by pass@K.  [default: the smallest K of the sweep]",
)
@options.speaking
def command(voice: Voice, *, sweep: str, k: int | None) -> None:
    """Show how far every run of a sweep is, its scores, and which setting did best."""
    from crucible_api.cli import sweeps_list
    from crucible_api.run_service import open_runs

    summary = open_runs(current()).sweep_summary(sweep, k)
    if voice.is_json:
        voice.data(
            {
                **sweeps_list.plain(summary.info),
                "runs": [_run_object(one) for one in summary.runs],
                "best": [_best_object(one) for one in summary.best],
            }
        )
        return
    _show_table(summary.runs, voice)
    voice.answer("")
    voice.answer(f"sweep {summary.info.id}: {sweeps_list.states_text(summary.info)}")
    for one in summary.runs:
        if one.run.registered is not None:
            voice.answer(f"{one.run.id}: {one.run.registered.sentence}")
    for best in summary.best:
        voice.answer("\n".join(_sentences(best, summary)))


def _show_table(runs: Sequence[SweepRun], voice: Voice) -> None:
    prompts = prompt_part([one.run for one in runs])
    scores = score_part([one.scores for one in runs])
    columns = [
        Column("model", style="bold"),
        Column("dataset"),
        Column("n", is_number=True),
        Column("temperature", is_number=True),
        *prompts.columns,
        Column("state", is_whole=True),
        Column("judged", is_number=True),
        *scores.columns,
        Column("run", is_whole=True),
    ]
    rows = [
        [
            one.run.model_text,
            f"{one.run.dataset} ({one.run.challenges})",
            str(one.run.n),
            temperature_text(one.run),
            *prompts.cells[place],
            str(one.run.state),
            f"{one.progress.judged}/{one.progress.planned}",
            *scores.cells[place],
            one.run.id,
        ]
        for place, one in enumerate(runs)
    ]
    voice.table(columns, rows)


def _sentences(best: Best, summary: SweepSummary) -> Iterator[str]:
    has_prompt = tells_prompt(one.run for one in summary.runs)
    names = {one.run.id: _setting(one, has_prompt=has_prompt) for one in summary.runs}
    tie = f"a tie of {len(best.run_ids)}, " if len(best.run_ids) > 1 else ""
    yield f"best on {best.dataset}: {tie}pass@{best.score.k} {score_text(best.score)}"
    for run_id in best.run_ids:
        yield f"  {names[run_id]}"
    if best.not_told_apart:
        yield f"  cannot be told from it: {plural(len(best.not_told_apart), 'run')}"
        for run_id in best.not_told_apart:
            yield f"    {names[run_id]}"
    if best.unknown:
        runs = plural(best.unknown, "run")
        yield f"  {runs} of {best.dataset} without a pass@{best.score.k} yet"


def _setting(one: SweepRun, *, has_prompt: bool) -> str:
    temperature = "" if one.run.temperature is None else f", temperature {one.run.temperature:g}"
    prompt = f", prompt {one.run.prompt}" if has_prompt and one.run.prompt else ""
    return f"{one.run.model_text}, n {one.run.n}{temperature}{prompt} (run {one.run.id})"


def _run_object(one: SweepRun) -> dict[str, object]:
    run, progress = one.run, one.progress
    return {
        "run": run.id,
        "state": str(run.state),
        "priority": run.priority,
        "model": run.model,
        "caution": run.caution,
        "registered": registered_object(run),
        "dataset": run.dataset,
        "n": run.n,
        "temperature": run.temperature,
        "prompt": run.prompt,
        "seed": run.seed,
        "challenges": run.challenges,
        "completions": progress.planned,
        "sampled": progress.generated,
        "judged": progress.judged,
        "given_up": progress.infra,
        **{f"pass@{score.k}": score_object(score) for score in one.scores},
        "failures": list(progress.failures),
    }


def _best_object(best: Best) -> dict[str, object]:
    return {
        "dataset": best.dataset,
        "k": best.score.k,
        **score_object(best.score),
        "runs": list(best.run_ids),
        "not_told_apart": list(best.not_told_apart),
        "compared": best.compared,
        "without_score": best.unknown,
    }

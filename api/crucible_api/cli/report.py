"""A run's result, as a table row for people and as one object for programs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from crucible_api.cli import routing_report
from crucible_api.cli.files import STDOUT
from crucible_api.cli.output import Column, Voice, coverage_text, duration, percent

if TYPE_CHECKING:
    from crucible_api.reports import Gap, RunInfo, RunSummary
    from crucible_tasks.scores import Score


@dataclass(frozen=True, slots=True)
class Part:
    """Some columns of a table, and what each row has in them."""

    columns: tuple[Column, ...]
    cells: tuple[tuple[str, ...], ...]


def show(summaries: Sequence[RunSummary], voice: Voice, *, output: str | None = None) -> None:
    """Write the results to stdout: JSON if asked for, else one table and a validity line each.

    Nothing is written where `output` has claimed stdout.
    """
    if output == STDOUT:
        return
    if voice.is_json:
        voice.data(document(summaries))
        return
    _show_table(summaries, voice)
    voice.answer("")
    for summary in summaries:
        prefix = f"{summary.run.id}: " if len(summaries) > 1 else ""
        voice.answer(f"{prefix}{summary.quality.line}")
        for score in summary.scores:
            if score.reason:
                voice.answer(f"{prefix}pass@{score.k} is not known: {score.reason}")
        if summary.run.registered is not None:
            voice.answer(f"{prefix}{summary.run.registered.sentence}")
    for summary in summaries:
        if summary.routing is not None:
            voice.answer("")
            routing_report.show(summary.routing, voice)


def document(summaries: Sequence[RunSummary]) -> dict[str, Any]:
    """One run as its object; a sweep as `{"sweep", "runs"}`."""
    if len(summaries) == 1:
        return run_object(summaries[0])
    return {
        "sweep": summaries[0].run.sweep_id if summaries else None,
        "runs": [run_object(summary) for summary in summaries],
    }


def run_object(summary: RunSummary) -> dict[str, Any]:
    """Everything a program may want to know about one run."""
    run, progress = summary.run, summary.progress
    return {
        "run": run.id,
        "sweep": run.sweep_id,
        "kind": str(run.kind),
        "state": str(run.state),
        "priority": run.priority,
        "model": run.model,
        "caution": run.caution,
        "registered": registered_object(run),
        "dataset": run.dataset,
        "grader": run.grader,
        "n": run.n,
        "temperature": run.temperature,
        "prompt": run.prompt,
        "seed": run.seed,
        "challenges": run.challenges,
        "completions": progress.planned,
        "judged": progress.judged,
        "coverage": summary.quality.coverage,
        "isolation": summary.isolation,
        **{f"pass@{score.k}": score_object(score) for score in summary.scores},
        "outcomes": {str(item.outcome): item.count for item in summary.outcomes},
        "validity": summary.quality.line,
        "failures": list(progress.failures),
        "gaps": [_gap_object(gap) for gap in progress.gaps],
        "seconds": summary.seconds,
        "created_at": run.created_at,
        "manifest": summary.manifest,
        **({} if summary.routing is None else {"router": routing_report.plain(summary.routing)}),
    }


def registered_object(run: RunInfo) -> dict[str, Any] | None:
    """Which fine-tune made the model, and what its corpus shares with the run's challenges."""
    made = run.registered
    return None if made is None else {**asdict(made), "sentence": made.sentence}


def _gap_object(gap: Gap) -> dict[str, Any]:
    return {
        "stage": str(gap.stage),
        "is_given_up": gap.is_given_up,
        "reason": gap.reason,
        "challenges": list(gap.task_ids),
    }


def score_object(score: Score) -> dict[str, Any]:
    """A score and its 95 % interval; a score that cannot be given says why."""
    found: dict[str, Any] = {"value": score.value, "low": score.low, "high": score.high}
    return found | ({"reason": score.reason} if score.reason else {})


def isolation_text(isolation: str | None) -> str:
    """What kept the programs from the host; that nothing did must not be overlooked."""
    return (isolation or "").replace("process", "NONE (process)")


def score_text(score: Score) -> str:
    """A score as people read it: `62.8 %  [55.2, 69.8]`."""
    if math.isnan(score.value):
        return "n/a"
    return f"{percent(score.value)}  [{100 * score.low:.1f}, {100 * score.high:.1f}]"


def tells_prompt(runs: Iterable[RunInfo]) -> bool:
    """Whether a table of these runs has a column for prompts: where one is not our own."""
    from crucible_tasks.wording import DEFAULT

    return any(run.prompt not in (None, DEFAULT) for run in runs)


def prompt_part(runs: Sequence[RunInfo]) -> Part:
    """Which prompt each was asked with, where `tells_prompt`."""
    if not tells_prompt(runs):
        return Part((), ((),) * len(runs))
    return Part((Column("prompt"),), tuple((run.prompt or "",) for run in runs))


def score_part(scores: Sequence[Sequence[Score]]) -> Part:
    """A column for every k that occurs."""
    ks = sorted({score.k for of_one in scores for score in of_one})
    known = [{score.k: score_text(score) for score in of_one} for of_one in scores]
    return Part(
        tuple(Column(f"pass@{k}  [95 % interval]", is_number=True) for k in ks),
        tuple(tuple(of_one.get(k, "") for k in ks) for of_one in known),
    )


def _show_table(summaries: Sequence[RunSummary], voice: Voice) -> None:
    temperatures = _temperature_part(summaries)
    prompts = prompt_part([summary.run for summary in summaries])
    scores = score_part([summary.scores for summary in summaries])
    columns = [
        Column("model", style="bold"),
        Column("dataset"),
        Column("n", is_number=True),
        *temperatures.columns,
        *prompts.columns,
        *scores.columns,
        Column("coverage", is_number=True),
        Column("isolation", is_whole=True),
        Column("time", is_number=True),
        Column("run", is_whole=True),
    ]
    rows = [
        [
            summary.run.model_text,
            f"{summary.run.dataset} ({summary.run.challenges})",
            str(summary.run.n),
            *temperatures.cells[place],
            *prompts.cells[place],
            *scores.cells[place],
            coverage_text(summary.quality.coverage),
            isolation_text(summary.isolation),
            "" if summary.seconds is None else duration(summary.seconds),
            summary.run.id,
        ]
        for place, summary in enumerate(summaries)
    ]
    voice.table(columns, rows)


def temperature_text(run: RunInfo) -> str:
    """Empty where nothing was sampled."""
    return "" if run.temperature is None else f"{run.temperature:g}"


def _temperature_part(summaries: Sequence[RunSummary]) -> Part:
    if len({summary.run.temperature for summary in summaries}) < 2:
        return Part((), ((),) * len(summaries))
    cells = tuple((temperature_text(summary.run),) for summary in summaries)
    return Part((Column("temperature", is_number=True),), cells)

"""The page of one run: its scores, how far it is, who works on it, what is missing and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from crucible_api import pace
from crucible_api.http.services import Serving
from crucible_api.page.plots import plotly_js
from crucible_api.page.plots.pass_curves import pass_curves
from crucible_api.page.rendering import render
from crucible_api.pass_curve import pass_curve
from crucible_api.reports import Gap, Progress, RunSummary
from crucible_api.run_hosts import hosts_of
from crucible_infra.stage import Stage
from crucible_tasks.planning import RunState
from crucible_tasks.router import shown
from crucible_tasks.verdict import Outcome

router = APIRouter(include_in_schema=False)

#: challenges named beside a reason
_NAMED = 5

#: what the script must know to tell the time left as the command line does
_PACE = {
    "window": pace.WINDOW_SECONDS,
    "seconds": pace.MIN_SECONDS,
    "judged": pace.MIN_JUDGED,
}

_ADVICE = {
    Stage.GENERATION: "See that the model's server answers, then resume the run.",
    Stage.EVALUATION: "crucible doctor on that host says what its sandbox lacks; then resume.",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of the bar of outcomes, in thousandths of its width."""

    outcome: str
    count: int
    left: float
    width: float


@router.get("/runs/{name}")
def run_page(request: Request, serving: Serving, name: str) -> Response:
    """Show a run by its id; another name of it leads there."""
    run = serving.runs.find_run(name)
    if run.id != name:
        return RedirectResponse(f"/runs/{run.id}")
    summary = serving.runs.summary(run.id)
    progress = summary.progress
    return render(
        request,
        "run.html",
        summary=summary,
        run=summary.run,
        progress=progress,
        segments=list(_segments(progress)),
        outcomes=_counts(progress),
        gaps=progress.gaps,
        advice=_advice,
        named=_NAMED,
        hosts=hosts_of(summary, serving.settings),
        facts=list(_facts(summary)),
        curve=pass_curves([pass_curve(run.model_text, serving.runs.counts(run.id))]),
        plotly=plotly_js.url(),
        can=_can(summary.run.state),
        pace=_PACE,
    )


def _segments(progress: Progress) -> Iterator[Segment]:
    left = 0.0
    for outcome, count in _counts(progress):
        width = 1000 * count / progress.planned if progress.planned else 0.0
        yield Segment(outcome, count, left, width)
        left += width


def _counts(progress: Progress) -> list[tuple[str, int]]:
    """Every outcome that enters n, those that did not occur too: nothing moves when one does."""
    found = {item.outcome: item.count for item in progress.outcomes}
    return [(str(one), found.get(one, 0)) for one in Outcome if not one.is_ours]


def _advice(gap: Gap) -> str:
    return _ADVICE[gap.stage] if gap.is_given_up else "Asked again by itself."


def _can(state: RunState) -> dict[str, bool]:
    """Which buttons do something."""
    is_open = state in (RunState.PLANNED, RunState.RUNNING)
    return {
        "pause": is_open,
        "resume": not is_open and state is not RunState.FINISHED,
        "stop": is_open or state in (RunState.PAUSED, RunState.INTERRUPTED),
    }


def _facts(summary: RunSummary) -> Iterator[tuple[str, str]]:
    """What the run was, in names and texts."""
    manifest, run = summary.manifest, summary.run
    model = manifest.get("model", {})
    yield "Model", shown(run.model)
    if model:
        told = [model["server"], model.get("quantization"), f"digest {model['digest'][:12]}"]
        yield "Served by", ", ".join(one for one in told if one)
    yield "Dataset", f"{run.dataset}, {run.challenges} challenges"
    yield "Samples", f"n = {run.n}, seed {run.seed}"
    if manifest.get("sampling"):
        sampling = manifest["sampling"]
        yield (
            "Sampling",
            ", ".join(f"{key.replace('_', ' ')} {sampling[key]:g}" for key in sampling),
        )
    if run.prompt is not None:
        yield "Prompt", run.prompt
    limits = manifest.get("limits")
    told_limits = (
        "each challenge's own"
        if limits is None
        else f"{limits['cpu_seconds']:g} s of CPU time, {limits['memory_mib']} MiB"
    )
    yield "Limits", told_limits
    yield "Grader", run.grader
    yield "Isolation", (summary.isolation or "no verdict yet").replace("process", "NONE (process)")
    yield from _costs(summary)


def _costs(summary: RunSummary) -> Iterator[tuple[str, str]]:
    cost = summary.cost
    if cost is not None and cost.completion_tokens:
        yield "Tokens", f"{cost.completion_tokens:,} sampled"
    if cost is not None and cost.seconds:
        yield "Model time", f"{cost.seconds:,.0f} s"
    if cost is not None and cost.joules:
        yield "Energy", f"{cost.joules:,.1f} J by the GPUs' own counters"

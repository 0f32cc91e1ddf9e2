"""`crucible compare`: is run B better than run A on the same challenges?"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from crucible_api.cli import options
from crucible_api.cli.output import Column, Voice, percent
from crucible_infra.errors import GateNotMet
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.cli.options import Gate
    from crucible_api.reports import RunSummary
    from crucible_tasks.comparison import Comparison
    from crucible_tasks.scores import Score

EPILOG = f"""\b
Examples:
  crucible compare 20260131-12 latest
  crucible compare 20260131-12 latest -k 10
  crucible compare BASE latest --fail-if-worse            a gate for continuous integration
  crucible compare BASE latest --fail-under pass@1=35%    a gate on B alone
  crucible compare A B --json | jq .losses
  crucible compare hybrid fast                            is the router worth its cost?

A and B are runs. {options.RUN_HELP} The name of a model, or of a router, means its newest run, and
beside a router's run the role or name of a member means that member's run of the same sweep; what
an answer cost is told then. --fail-if-worse fails only on evidence: "cannot tell" passes.
"""


@click.command(epilog=EPILOG)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option(
    "-k",
    "--k",
    "k",
    type=click.IntRange(min=1),
    metavar="K",
    default=1,
    show_default=True,
    help="Compare pass@K.",
)
@options.gate
@click.option("--fail-if-worse", is_flag=True, help="Exit 3 when B is worse than A.")
@options.speaking
def command(
    voice: Voice, *, a: str, b: str, k: int, gate: Gate | None, fail_if_worse: bool
) -> None:
    """Compare two runs challenge by challenge, and say so when nobody can tell yet."""
    from crucible_api.differences import differences
    from crucible_api.run_service import open_runs
    from crucible_tasks.comparison import Finding, compare
    from crucible_tasks.scores import score

    runs = open_runs(current())
    run_a, run_b = (runs.summary(run_id) for run_id in runs.find_pair(a, b))
    for difference in differences(run_a, run_b):
        voice.warn(difference)
    counts_a, counts_b = runs.counts(run_a.run.id), runs.counts(run_b.run.id)
    found = compare(counts_a, counts_b, k)
    scores = (score(counts_a, k), score(counts_b, k))
    if voice.is_json:
        voice.data(_plain(found, (run_a, run_b), scores))
    else:
        _show((run_a, run_b), scores, voice)
        voice.answer(f"\n{found.sentence}")
        for name, one in zip("AB", (run_a, run_b), strict=True):
            if one.run.registered is not None:
                voice.answer(f"{name}: {one.run.registered.sentence}")
        _tell_cost((run_a, run_b), voice)
    if gate is not None:
        _demand(run_b, score(counts_b, gate.k), gate)
    if fail_if_worse and found.verdict is Finding.WORSE:
        raise GateNotMet(f"run {run_b.run.id} (B) is worse than run {run_a.run.id} (A)")


def _show(runs: tuple[RunSummary, RunSummary], scores: tuple[Score, Score], voice: Voice) -> None:
    from crucible_api.cli.report import isolation_text, score_text, tells_prompt

    has_prompt = tells_prompt(one.run for one in runs)

    columns = (
        Column("", style="bold", is_whole=True),
        Column("model"),
        Column("dataset"),
        Column("n", is_number=True),
        *([Column("prompt")] if has_prompt else []),
        Column(f"pass@{scores[0].k}  [95 % interval]", is_number=True),
        Column("isolation", is_whole=True),
        Column("run", is_whole=True),
    )
    rows = [
        [
            name,
            one.run.model_text,
            f"{one.run.dataset} ({one.run.challenges})",
            str(one.run.n),
            *([one.run.prompt or ""] if has_prompt else []),
            score_text(score),
            isolation_text(one.isolation),
            one.run.id,
        ]
        for name, one, score in zip("AB", runs, scores, strict=True)
    ]
    voice.table(columns, rows)


def _tell_cost(runs: tuple[RunSummary, RunSummary], voice: Voice) -> None:
    """What an answer of each took, where a router is among them."""
    from crucible_api.cli.routing_report import per_answer

    if all(one.routing is None for one in runs):
        return
    for name, one in zip("AB", runs, strict=True):
        answers = one.progress.generated
        if answers and one.cost is not None:
            draws = 1.0 if one.routing is None else one.routing.draws / answers
            costs = [f"{draws:.2f} draws", per_answer(one.cost, answers)]
            voice.answer(f"{name} took {', '.join(filter(None, costs))} per answer")


def _cost_object(one: RunSummary) -> dict[str, object]:
    answers = one.progress.generated
    cost, routing = one.cost, one.routing
    return {
        "completions": answers,
        "draws": answers if routing is None else routing.draws,
        "completion_tokens": None if cost is None else cost.completion_tokens,
        "model_seconds": None if cost is None else cost.seconds,
        "gpu_joules": None if cost is None else cost.joules,
    }


def _plain(
    found: Comparison, runs: tuple[RunSummary, RunSummary], scores: tuple[Score, Score]
) -> dict[str, object]:
    from crucible_api.cli.report import registered_object, score_object

    sides = {
        name: {
            "run": one.run.id,
            "model": one.run.model,
            "caution": one.run.caution,
            "registered": registered_object(one.run),
            "dataset": one.run.dataset,
            "prompt": one.run.prompt,
            "isolation": one.isolation,
            "cost": _cost_object(one),
            f"pass@{score.k}": score_object(score),
        }
        for name, one, score in zip("ab", runs, scores, strict=True)
    }
    sentence = {"verdict": str(found.verdict), "sentence": found.sentence}
    return {**sides, **asdict(found), **sentence, "challenges": found.challenges}


def _demand(b: RunSummary, score: Score, gate: Gate) -> None:
    from crucible_api.cli.following import demand_complete

    demand_complete(b, gate)
    # written so that NaN is below every gate
    if not score.value >= gate.minimum:
        raise GateNotMet(
            f"{gate.name} of B is {score.reason or percent(score.value)}, "
            f"below {percent(gate.minimum)}"
        )

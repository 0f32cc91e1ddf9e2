"""A report on runs, to be mailed or kept: everything it says, whatever form it has.

It holds nothing of the moment it is made at: the report of a finished run is always the same.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crucible_api.compared import Compared, compared
from crucible_api.pass_curve import PassCurve, pass_curve
from crucible_api.quality_cost import each
from crucible_api.reports import RunSummary
from crucible_api.run_labels import labels
from crucible_api.run_service import RunService
from crucible_api.sweep_reports import Selected, SweepSummary
from crucible_tasks.planning import RunState
from crucible_tasks.scores import Counts
from crucible_tasks.verdict import Outcome


@dataclass(frozen=True, slots=True)
class ReportedRun:
    """One run of a report."""

    summary: RunSummary
    #: what tells it apart from the others
    label: str
    counts: tuple[Counts, ...]

    @property
    def curve(self) -> PassCurve:
        """pass@k at every k."""
        return pass_curve(self.label, self.counts)

    @property
    def standing(self) -> str | None:
        """What must be said of a run that is not finished; None for one that is."""
        run = self.summary.run
        if run.state is RunState.FINISHED:
            return None
        return f"run {run.id} is {run.state}: what is told is of what there is"

    @property
    def energy(self) -> str | None:
        """What its answers took, like "45.2 J of GPU energy per answer"; None where unknown."""
        cost, answers = self.summary.cost, self.summary.progress.generated
        joules = None if cost is None else each(cost.joules, answers)
        return None if joules is None else f"{joules:,.1f} J of GPU energy per answer"

    @property
    def command(self) -> str | None:
        """What asks the same again; None where no model was asked."""
        return command_of(self.summary.manifest)


@dataclass(frozen=True, slots=True)
class RunReport:
    """What is to be told about some runs."""

    runs: tuple[ReportedRun, ...]
    #: where a sweep was asked for
    sweep: SweepSummary | None
    #: where there are two runs
    compared: Compared | None

    @property
    def title(self) -> str:
        """What it is about."""
        if self.sweep is not None:
            return f"Sweep {self.sweep.info.id}"
        if len(self.runs) == 1:
            return f"Run {self.runs[0].summary.run.id}"
        return f"{len(self.runs)} runs"

    @property
    def ks(self) -> tuple[int, ...]:
        """Every k that a run has a score at."""
        return tuple(sorted({one.k for each in self.runs for one in each.summary.scores}))

    @property
    def outcomes(self) -> tuple[tuple[Outcome, tuple[int, ...]], ...]:
        """How many completions of each run ended how; outcomes that occur."""
        found = [{one.outcome: one.count for one in each.summary.outcomes} for each in self.runs]
        return tuple(
            (outcome, tuple(of_one.get(outcome, 0) for of_one in found))
            for outcome in Outcome
            if any(outcome in of_one for of_one in found)
        )

    @property
    def challenges(self) -> tuple[tuple[str, tuple[Counts | None, ...]], ...]:
        """Every challenge, and what each run did on it; None for one that was not asked it."""
        found = [{one.task_id: one for one in each.counts} for each in self.runs]
        ids = dict.fromkeys(one.task_id for each in self.runs for one in each.counts)
        return tuple((task_id, tuple(of_one.get(task_id) for of_one in found)) for task_id in ids)


def run_report(runs: RunService, selected: Sequence[Selected]) -> RunReport:
    """Everything that is known by now about the runs a user means."""
    ids = list(dict.fromkeys(run.id for one in selected for run in one.runs))
    summaries = [runs.summary(run_id) for run_id in ids]
    names = labels([one.run for one in summaries])
    found = tuple(
        ReportedRun(summary, name, runs.counts(summary.run.id))
        for summary, name in zip(summaries, names, strict=True)
    )
    sweep_id = selected[0].sweep_id if len(selected) == 1 else None
    smallest = min(k for one in summaries for k in one.run.ks)
    return RunReport(
        found,
        None if sweep_id is None else runs.sweep_summary(sweep_id, smallest),
        compared(runs, ids[0], ids[1], smallest) if len(ids) == 2 else None,
    )


def command_of(manifest: dict[str, Any]) -> str | None:
    """The command that a run's manifest stands for; None where no model was asked."""
    sampling = manifest.get("sampling")
    if sampling is None:
        return None
    dataset, model = manifest["dataset"], manifest["model"]
    words = ["crucible", "benchmark", "-m", model["spec"], "-d", dataset["name"]]
    words += ["-n", manifest["n"], "--seed", manifest["seed"]]
    words += ["--temperature", f"{sampling['temperature']:g}", "--top-p", f"{sampling['top_p']:g}"]
    words += ["--max-tokens", sampling["max_tokens"], "--style", model["style"]]
    if manifest["challenges"] < dataset["challenges"]:
        words += ["--limit", manifest["challenges"]]
    if manifest.get("wording") is not None:
        words += ["--prompt", "FILE"]
    return shlex.join(str(word) for word in words)

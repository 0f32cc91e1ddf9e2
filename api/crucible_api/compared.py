"""Two runs beside each other: their scores, what tells them apart, and the comparison."""

from __future__ import annotations

from dataclasses import dataclass

from crucible_api.differences import differences
from crucible_api.reports import RunSummary
from crucible_api.run_labels import labels
from crucible_api.run_service import RunService
from crucible_api.runs import Runs
from crucible_tasks.comparison import Comparison, compare
from crucible_tasks.scores import Counts, Score, score


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two runs."""

    summary: RunSummary
    #: what tells it apart from the other
    label: str
    counts: tuple[Counts, ...]
    score: Score


@dataclass(frozen=True, slots=True)
class Compared:
    """What is to be said about two runs."""

    a: Side
    b: Side
    found: Comparison
    #: what besides the models differs, a sentence each
    notes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What was found, in plain words."""
        return self.found.describe(self.a.label, self.b.label)


def compared(runs: RunService | Runs, a: str, b: str, k: int) -> Compared:
    """Compare pass@k of two runs, by their whole ids. Raises RunNotFound."""
    summaries = runs.summary(a), runs.summary(b)
    # a run beside itself has one name twice
    names = labels([one.run for one in summaries]) if a != b else ("A", "B")
    of_a, of_b = (
        Side(summary, name, counts, score(counts, k))
        for summary, name in zip(summaries, names, strict=True)
        for counts in [runs.counts(summary.run.id)]
    )
    notes = tuple(differences(of_a.summary, of_b.summary))
    return Compared(of_a, of_b, compare(of_a.counts, of_b.counts, k), notes)

"""What the doors tell about several runs: those a user means, and those of a sweep."""

from __future__ import annotations

from dataclasses import dataclass

from crucible_api.reports import Progress, RunInfo
from crucible_tasks.planning import RunState
from crucible_tasks.scores import Score


@dataclass(frozen=True, slots=True)
class Selected:
    """The runs a user means: one, or all of a sweep in the order they were planned."""

    runs: tuple[RunInfo, ...]
    #: None where one run was meant
    sweep_id: str | None = None

    @property
    def id(self) -> str:
        """What names all of it."""
        return self.sweep_id or self.runs[0].id


@dataclass(frozen=True, slots=True)
class SweepInfo:
    """One line about a sweep."""

    id: str
    #: seconds since the epoch, of its first run
    created_at: float
    #: how many runs are in each state that occurs
    states: tuple[tuple[RunState, int], ...]
    models: tuple[str, ...]
    datasets: tuple[str, ...]
    #: planned, of all runs
    completions: int

    @property
    def runs(self) -> int:
        """How many runs it has."""
        return sum(count for _, count in self.states)


@dataclass(frozen=True, slots=True)
class SweepRun:
    """One run of a sweep: how far it is, and its scores so far."""

    run: RunInfo
    progress: Progress
    scores: tuple[Score, ...]


@dataclass(frozen=True, slots=True)
class Best:
    """Which settings of a sweep did best on one dataset at one k."""

    dataset: str
    score: Score
    #: every run with exactly this score
    run_ids: tuple[str, ...]
    #: runs with a lower score that may be as good for all that is known
    not_told_apart: tuple[str, ...]
    #: how many runs have a score at this k, and how many of the dataset do not
    compared: int
    unknown: int


@dataclass(frozen=True, slots=True)
class SweepSummary:
    """Everything worth knowing about a sweep at once."""

    info: SweepInfo
    runs: tuple[SweepRun, ...]
    best: tuple[Best, ...]

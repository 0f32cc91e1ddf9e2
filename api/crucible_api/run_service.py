"""Runs for a command, wherever they are: in the database of this host, or behind a server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from crucible_infra.settings import Settings

if TYPE_CHECKING:
    from crucible_api.model_choice import Tell
    from crucible_api.reports import Progress, RunInfo, RunSummary, VerdictRow
    from crucible_api.sweep_reports import Selected, SweepInfo, SweepSummary
    from crucible_api.wish import SamplesWish, Wish
    from crucible_tasks.scores import Counts


class ProgressTeller(Protocol):
    """Who knows how far runs are."""

    def progress(self, run_id: str) -> Progress:
        """How far the run is."""
        ...


class RunTeller(ProgressTeller, Protocol):
    """Who knows what runs have found."""

    def summary(self, run_id: str) -> RunSummary:
        """Scores, validity, progress and manifest of a run, finished or not."""
        ...

    def counts(self, run_id: str) -> tuple[Counts, ...]:
        """Per challenge, the judged completions and those that passed."""
        ...


@dataclass(frozen=True, slots=True)
class Planned:
    """The runs of a benchmark, in their order."""

    #: None for a single run
    sweep_id: str | None
    run_ids: tuple[str, ...]
    #: those of them that a router is only compared with
    companions: frozenset[str] = frozenset()
    #: whether the built-in toy is sampled since nothing else answered
    has_toy: bool = False


class Readied(Protocol):
    """A benchmark whose files are read."""

    def plan(self, tell: Tell) -> Planned:
        """Write its runs down, needing workers; `tell` hears which models were chosen."""
        ...


class RunService(RunTeller, Protocol):
    """What commands ask of runs; `Runs` and `sweeps` say what each of it means and raises."""

    def ready_benchmark(self, wish: Wish) -> Readied:
        """Read the files of a benchmark. Raises InvalidInput for one that cannot be had."""
        ...

    def plan_samples(self, wish: SamplesWish) -> str:
        """Write down a run that judges a file's completions; returns its id."""
        ...

    def start(self, run_id: str) -> None:
        """Begin a planned run, unless it is begun already."""
        ...

    def resume(self, run_id: str) -> None:
        """Go on with a run that was paused, stopped, killed or given up."""
        ...

    def hand_over(self, run_id: str) -> None:
        """Let whoever works elsewhere go on with a run."""
        ...

    def pause(self, run_id: str) -> bool:
        """Send nothing new until it is resumed; whether there was anything to pause."""
        ...

    def stop(self, run_id: str) -> bool:
        """Send nothing more; whether there was anything to stop."""
        ...

    def set_priority(self, run_id: str, priority: int) -> bool:
        """Let it go before or after others; whether anything is left that could."""
        ...

    def regrade(self, run_id: str) -> None:
        """Judge every stored completion again."""
        ...

    def observed(
        self, run_ids: Sequence[str], meanwhile: Callable[[], object]
    ) -> AbstractContextManager[ProgressTeller]:
        """Who knows how far these runs are while somebody watches them.

        `meanwhile` is called again and again while the first word is waited for.
        """
        ...

    def verdict_rows(self, run_id: str) -> tuple[VerdictRow, ...]:
        """Every stored completion and its verdict."""
        ...

    def list_runs(self, limit: int = 20) -> tuple[RunInfo, ...]:
        """The last runs planned, newest first."""
        ...

    def find_run(self, text: str) -> RunInfo:
        """The run a user means."""
        ...

    def export(self, run_id: str, directory: Path) -> tuple[Path, ...]:
        """Write the run's manifest, completions and verdicts as files."""
        ...

    def select(self, text: str) -> Selected:
        """The run or sweep a user means."""
        ...

    def list_sweeps(self, limit: int = 20) -> tuple[SweepInfo, ...]:
        """The last sweeps planned, newest first."""
        ...

    def sweep_summary(self, text: str, k: int | None = None) -> SweepSummary:
        """How every run of the sweep stands that a user means, and the best of them."""
        ...

    def find_pair(self, a: str, b: str) -> tuple[str, str]:
        """The ids of the runs that two words mean."""
        ...


def open_runs(settings: Settings) -> RunService:
    """The runs that the settings mean. Raises what opening a database raises."""
    # each brings libraries that the other has no use for
    if settings.server is not None:
        from crucible_api.remote.runs import open_remote_runs  # noqa: PLC0415

        return open_remote_runs(settings)
    from crucible_api.stored_runs import open_stored_runs  # noqa: PLC0415

    return open_stored_runs(settings)

"""The runs of the configured database, with all that is said of several of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from crucible_api import named_runs, sweeps
from crucible_api.matrix import limits_for, open_datasets, open_wordings, plan_matrix
from crucible_api.model_choice import Tell
from crucible_api.run_service import Planned, ProgressTeller, Readied
from crucible_api.runs import Runs
from crucible_api.samples import read_samples
from crucible_api.sweep_reports import Selected, SweepInfo, SweepSummary
from crucible_api.wish import SamplesWish, Wish, customary_ks
from crucible_infra.artifacts import open_store
from crucible_infra.database import open_database
from crucible_infra.settings import Settings
from crucible_tasks.challenges import Dataset, open_dataset
from crucible_tasks.wording import Wording


@dataclass(frozen=True, slots=True)
class StoredRuns(Runs):
    """See `RunService`."""

    def ready_benchmark(self, wish: Wish) -> Readied:
        """Read the files of a benchmark."""
        return _Readied(self, wish, open_wordings(wish), open_datasets(wish))

    def plan_samples(self, wish: SamplesWish) -> str:
        """Write down a run that judges a file's completions."""
        dataset = open_dataset(wish.dataset)
        completions = read_samples(wish.samples)
        limits = limits_for(dataset, wish.cpu_seconds, wish.memory_mib)
        ks = wish.ks or customary_ks(completions)
        return self.plan_evaluation(dataset, completions, ks, limits, wish.samples)

    def observed(
        self, run_ids: Sequence[str], meanwhile: Callable[[], object]
    ) -> AbstractContextManager[ProgressTeller]:
        """Looking is cheap, and done whenever somebody asks."""
        del run_ids, meanwhile
        return nullcontext(self)

    def select(self, text: str) -> Selected:
        """The run or sweep a user means."""
        return sweeps.select(self, text)

    def list_sweeps(self, limit: int = 20) -> tuple[SweepInfo, ...]:
        """The last sweeps planned, newest first."""
        return sweeps.list_sweeps(self, limit)

    def sweep_summary(self, text: str, k: int | None = None) -> SweepSummary:
        """How every run of the sweep stands that a user means, and the best of them."""
        return sweeps.sweep_summary(self, sweeps.find_sweep(self, text), k)

    def find_pair(self, a: str, b: str) -> tuple[str, str]:
        """The ids of the runs that two words mean."""
        return named_runs.find_pair(self, named_runs.meant(a), named_runs.meant(b))


@dataclass(frozen=True, slots=True)
class _Readied:
    """See `Readied`."""

    runs: Runs
    wish: Wish
    wordings: Sequence[Wording | None]
    datasets: Sequence[Dataset]

    def plan(self, tell: Tell) -> Planned:
        """Write its runs down."""
        matrix = plan_matrix(self.wish, self.datasets, self.wordings, tell)
        run_ids = tuple(self.runs.plan_benchmark(plan) for plan in matrix.plans)
        return Planned(
            matrix.plans[0].sweep_id,
            run_ids,
            frozenset(matrix.companions(run_ids)),
            has_toy=matrix.choice.toy is not None,
        )


def open_stored_runs(settings: Settings) -> StoredRuns:
    """The runs in the configured database and artifact store.

    Raises DatabaseUnavailable, SchemaOutdated, InvalidInput.
    """
    return StoredRuns(open_database(settings.database_url), open_store(settings.artifacts_url))

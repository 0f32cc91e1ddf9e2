"""The runs of the configured database, with all that is said of several of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from crucible_api import named_runs, sweeps
from crucible_api.run_service import ProgressTeller
from crucible_api.runs import Runs
from crucible_api.sweep_reports import Selected, SweepInfo, SweepSummary
from crucible_infra.artifacts import open_store
from crucible_infra.database import open_database
from crucible_infra.settings import Settings


@dataclass(frozen=True, slots=True)
class StoredRuns(Runs):
    """See `RunService`."""

    def observed(self, run_ids: Sequence[str]) -> AbstractContextManager[ProgressTeller]:
        """Looking is cheap, and done whenever somebody asks."""
        del run_ids
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
        return named_runs.find_pair(self, a, b)


def open_stored_runs(settings: Settings) -> StoredRuns:
    """The runs in the configured database and artifact store.

    Raises DatabaseUnavailable, SchemaOutdated, InvalidInput.
    """
    return StoredRuns(open_database(settings.database_url), open_store(settings.artifacts_url))

"""The runs of another host, through its server."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from crucible_api.http.forms import Altered, Compared, PriorityForm
from crucible_api.remote.connection import Server, connect, part
from crucible_api.remote.export import unpack
from crucible_api.remote.observer import Observer
from crucible_api.reports import Progress, RunInfo, RunSummary, VerdictRow
from crucible_api.run_service import ProgressTeller
from crucible_api.sweep_reports import Selected, SweepInfo, SweepSummary
from crucible_infra.settings import Settings
from crucible_tasks.scores import Counts

#: names the newest
_LATEST = "latest"


@dataclass(frozen=True, slots=True)
class RemoteRuns:
    """See `RunService`."""

    server: Server
    #: how long the server may be away while runs are followed
    outage_seconds: float

    def resume(self, run_id: str) -> None:
        """Go on with a run."""
        self._alter(run_id, "resume")

    def hand_over(self, run_id: str) -> None:
        """Go on with a run; its server does so in any case."""
        self._alter(run_id, "resume")

    def pause(self, run_id: str) -> bool:
        """Send nothing new of this run until it is resumed."""
        return self._alter(run_id, "pause")

    def stop(self, run_id: str) -> bool:
        """Send nothing more of this run."""
        return self._alter(run_id, "stop")

    def regrade(self, run_id: str) -> None:
        """Judge every stored completion again."""
        self._alter(run_id, "regrade")

    def set_priority(self, run_id: str, priority: int) -> bool:
        """Let a run go before or after others."""
        path = f"/runs/{part(run_id)}/priority"
        return self.server.send("PUT", path, Altered, PriorityForm(priority)).is_altered

    def progress(self, run_id: str) -> Progress:
        """How far the run is."""
        return self.server.get(f"/runs/{part(run_id)}/progress", Progress)

    def observed(self, run_ids: Sequence[str]) -> AbstractContextManager[ProgressTeller]:
        """The same, while somebody watches."""
        return Observer(self.server, run_ids, self.outage_seconds)

    def summary(self, run_id: str) -> RunSummary:
        """Scores, validity, progress and manifest of a run."""
        return self.server.get(f"/runs/{part(run_id)}", RunSummary)

    def counts(self, run_id: str) -> tuple[Counts, ...]:
        """Per challenge, the judged completions and those that passed."""
        return self.server.get(f"/runs/{part(run_id)}/counts", tuple[Counts, ...])

    def verdict_rows(self, run_id: str) -> tuple[VerdictRow, ...]:
        """Every stored completion and its verdict."""
        return tuple(self.server.pages(f"/runs/{part(run_id)}/verdicts", VerdictRow))

    def list_runs(self, limit: int = 20) -> tuple[RunInfo, ...]:
        """The last runs planned, newest first."""
        return tuple(self.server.pages("/runs", RunInfo, limit))

    def find_run(self, text: str) -> RunInfo:
        """The run a user means."""
        return self.summary(text).run

    def export(self, run_id: str, directory: Path) -> tuple[Path, ...]:
        """Write the run's files."""
        with self.server.download(f"/runs/{part(run_id)}/export") as chunks:
            return unpack(chunks, directory)

    def select(self, text: str) -> Selected:
        """The run or sweep a user means."""
        return self.server.get(f"/selections/{part(text)}", Selected)

    def list_sweeps(self, limit: int = 20) -> tuple[SweepInfo, ...]:
        """The last sweeps planned, newest first."""
        return tuple(self.server.pages("/sweeps", SweepInfo, limit))

    def sweep_summary(self, text: str, k: int | None = None) -> SweepSummary:
        """How every run of the sweep stands that a user means, and the best of them."""
        return self.server.get(f"/sweeps/{part(text)}", SweepSummary, k=k)

    def find_pair(self, a: str, b: str) -> tuple[str, str]:
        """The ids of the runs that two words mean."""
        found = self.server.get("/comparisons", Compared, a=a, b=b)
        return found.a, found.b

    def _alter(self, run_id: str, verb: str) -> bool:
        return self.server.send("POST", f"/runs/{part(run_id)}/{verb}", Altered).is_altered


def open_remote_runs(settings: Settings) -> RemoteRuns:
    """The run service of the configured server; nothing is asked yet."""
    return RemoteRuns(connect(settings), settings.outage_seconds)

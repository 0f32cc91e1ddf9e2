"""The runs of another host, through its server."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from crucible_api.http.forms import Altered, Begun, Compared, EvaluationForm, PriorityForm
from crucible_api.remote.artifacts import RemoteArtifacts
from crucible_api.remote.benchmarks import read_dataset, ready, sent_dataset
from crucible_api.remote.connection import Server, connect, part
from crucible_api.remote.export import unpack
from crucible_api.remote.observer import Observer
from crucible_api.reports import Progress, RunInfo, RunSummary, VerdictRow
from crucible_api.run_service import ProgressTeller, Readied
from crucible_api.samples import read_samples
from crucible_api.sweep_reports import Selected, SweepInfo, SweepSummary
from crucible_api.wish import SamplesWish, Wish
from crucible_infra.artifacts import ArtifactStore
from crucible_infra.settings import Settings
from crucible_tasks.planning import ImportedCompletion
from crucible_tasks.scores import Counts


@dataclass(frozen=True, slots=True)
class RemoteRuns:
    """See `RunService`."""

    server: Server
    artifacts: ArtifactStore
    #: how long the server may be away while runs are followed
    outage_seconds: float

    def ready_benchmark(self, wish: Wish) -> Readied:
        """Read the files of a benchmark."""
        return ready(self.server, self.artifacts, wish)

    def plan_samples(self, wish: SamplesWish) -> str:
        """Have a file's completions judged."""
        completions = read_samples(wish.samples)
        form = EvaluationForm(
            dataset=sent_dataset(self.artifacts, read_dataset(wish.dataset)),
            source=wish.samples,
            artifact=self.artifacts.put(_lines(completions)),
            k=wish.ks,
            cpu_seconds=wish.cpu_seconds,
            memory_mib=wish.memory_mib,
        )
        return self.server.send("POST", "/evaluations", Begun, form).runs[0]

    def start(self, run_id: str) -> None:
        """Nothing: a server begins what it has planned, in its turn."""

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

    def observed(
        self, run_ids: Sequence[str], meanwhile: Callable[[], object]
    ) -> AbstractContextManager[ProgressTeller]:
        """The same, while somebody watches."""
        return Observer(self.server, run_ids, self.outage_seconds, meanwhile)

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
    server = connect(settings)
    return RemoteRuns(server, RemoteArtifacts(server), settings.outage_seconds)


def _lines(completions: Sequence[ImportedCompletion]) -> bytes:
    """Rows of a samples file, in any case one that the server can read."""
    rows = (
        {"task_id": one.task_id, one.form: one.text, "finish": one.finish} for one in completions
    )
    # ASCII escapes carry half a surrogate pair, which UTF-8 cannot
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)

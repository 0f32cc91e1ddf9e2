"""The fine-tunes of another host, through its server: what is trained on is built here and sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from crucible_api.fine_tune_reports import FineTuneInfo
from crucible_api.fine_tune_service import Asked
from crucible_api.http.forms import Altered, BegunFineTune, FineTuneForm
from crucible_api.model_choice import Tell
from crucible_api.remote.artifacts import RemoteArtifacts
from crucible_api.remote.benchmarks import read_dataset, sent_dataset
from crucible_api.remote.connection import Server, connect, part
from crucible_infra.artifacts import ArtifactStore
from crucible_infra.bundles import store_directory
from crucible_infra.errors import FineTuneNotFound, NameTaken
from crucible_infra.fine_tune_rows import StepRow
from crucible_infra.settings import Settings, current
from crucible_tasks.challenges import encode
from crucible_tasks.corpus import corpus
from crucible_tasks.fine_tuning import FineTuneState
from crucible_tasks.model_names import spelled_out

_NOUN = "/fine-tunes"


@dataclass(frozen=True, slots=True)
class RemoteFineTunes:
    """See `FineTuneService`."""

    server: Server
    artifacts: ArtifactStore
    #: how long the server may be away while a training is followed
    outage_seconds: float

    def demand_free(self, name: str) -> None:
        """Raise NameTaken when the name is that of another fine-tune."""
        try:
            found = self.find(name)
        except FineTuneNotFound:
            return
        if found.row.name == name and found.state != FineTuneState.FAILED:
            raise NameTaken(
                f"{name} is the name of fine-tune {found.row.id} there, which is {found.state}",
                hint="choose another --new-model-name",
            )

    def check_dataset(self, name: str) -> None:
        """Raise InvalidInput for a file that cannot be read; the server knows its names."""
        read_dataset(name)

    def plan_asked(self, asked: Asked, tell: Tell) -> str:
        """Send what it is trained on, and have the server plan and begin it."""
        form = FineTuneForm(
            name=asked.name,
            model=spelled_out(asked.model, current()),
            base_weights=self._weights(asked.base, tell),
            corpus=self.artifacts.put(corpus.encode(asked.corpus)),
            recipe=msgspec.to_builtins(asked.recipe),
            directory=asked.directory,
            proof_datasets=tuple(
                sent_dataset(self.artifacts, read_dataset(name)) for name in asked.elsewhere
            ),
            private=None if asked.private is None else self.artifacts.put(encode(asked.private)),
            proof_n=asked.proof_n,
            hosts=asked.hosts,
        )
        return self.server.send("POST", _NOUN, BegunFineTune, form).id

    def start(self, fine_tune_id: str) -> None:
        """Nothing: a server begins what it has planned."""

    def resume(self, fine_tune_id: str) -> None:
        """Go on with one that was stopped, killed or has failed."""
        self.server.send("POST", f"{_NOUN}/{part(fine_tune_id)}/resume", Altered)

    def go_on(self, info: FineTuneInfo) -> None:
        """Nothing: a server goes on with the proof when it resumes."""

    def stop(self, fine_tune_id: str) -> bool:
        """Have it stopped after a checkpoint."""
        path = f"{_NOUN}/{part(fine_tune_id)}/stop"
        return self.server.send("POST", path, Altered).is_altered

    def forget(self, fine_tune_id: str, tell: Tell) -> Sequence[str]:
        """Forget it and free its name."""
        del tell
        self.server.remove(f"{_NOUN}/{part(fine_tune_id)}")
        # which artifacts go with it is its server's business
        return ()

    def info(self, fine_tune_id: str) -> FineTuneInfo:
        """How it stands."""
        path = f"{_NOUN}/{part(fine_tune_id)}"
        return self.server.get(path, FineTuneInfo, patience=self.outage_seconds)

    def steps(self, fine_tune_id: str, after: int = -1) -> tuple[StepRow, ...]:
        """The steps of its training behind this one."""
        path, patience = f"{_NOUN}/{part(fine_tune_id)}/steps", self.outage_seconds
        return tuple(self.server.pages(path, StepRow, after=str(after), patience=patience))

    def newest(self, limit: int) -> tuple[FineTuneInfo, ...]:
        """The last ones planned, newest first."""
        return tuple(self.server.pages(_NOUN, FineTuneInfo, limit))

    def find(self, text: str) -> FineTuneInfo:
        """The fine-tune a user means."""
        return self.server.get(f"{_NOUN}/{part(text)}", FineTuneInfo)

    def _weights(self, base: str, tell: Tell) -> str:
        if not Path(base).is_dir():
            return base
        tell(f"sending {base} to {self.server.url}")
        return f"artifact:{store_directory(self.artifacts, Path(base))}"


def open_remote_fine_tunes(settings: Settings) -> RemoteFineTunes:
    """The fine-tune service of the configured server; nothing is asked yet."""
    server = connect(settings)
    return RemoteFineTunes(server, RemoteArtifacts(server), settings.outage_seconds)

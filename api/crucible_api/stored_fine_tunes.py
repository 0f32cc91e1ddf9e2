"""The fine-tunes of the configured database, with all that commands do beside its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from crucible_api import proof, proof_runs
from crucible_api.fine_tune_reports import FineTuneInfo, FineTunePlan
from crucible_api.fine_tune_service import Asked
from crucible_api.fine_tunes import FineTunes, throw_away
from crucible_api.model_choice import Tell
from crucible_infra.artifacts import ArtifactStore, open_store
from crucible_infra.bundles import store_directory
from crucible_infra.database import open_database
from crucible_infra.errors import CrucibleError
from crucible_infra.settings import Settings, current
from crucible_tasks.challenges import open_dataset
from crucible_tasks.corpus.corpus import Corpus, digest, encode


@dataclass(frozen=True, slots=True)
class StoredFineTunes(FineTunes):
    """See `FineTuneService`."""

    def check_dataset(self, name: str) -> None:
        """Raise InvalidInput for a dataset that cannot be had."""
        open_dataset(name)

    def plan_asked(self, asked: Asked, tell: Tell) -> str:
        """Put all where workers find it, and write it down."""
        store = _store()
        data = encode(asked.corpus)
        store.put(data)
        plan = FineTunePlan(
            name=asked.name,
            model=asked.model,
            base=_travelling(store, asked.base, tell),
            corpus=digest(data),
            recipe=asked.recipe,
            manifest=_manifest(asked, data),
            proof=_proof(store, asked, digest(data)),
            hosts=asked.hosts,
        )
        fine_tune_id = self.plan(plan)
        try:
            proof_runs.prepare(self, fine_tune_id)
        except CrucibleError:
            # nothing keeps a name that nothing was trained for
            self.remove(fine_tune_id)
            raise
        return fine_tune_id

    def resume(self, fine_tune_id: str) -> None:
        """Go on with one that was stopped, killed or has failed."""
        proof_runs.prepare(self, fine_tune_id)
        self.start(fine_tune_id)

    def go_on(self, info: FineTuneInfo) -> None:
        """Go on with what was stopped of its proof."""
        proof_runs.go_on(info)

    def forget(self, fine_tune_id: str, tell: Tell) -> Sequence[str]:
        """Forget it, and give back the space of what nobody else uses."""
        return throw_away(_store(), self.remove(fine_tune_id), tell)


def open_stored_fine_tunes(settings: Settings) -> StoredFineTunes:
    """The fine-tunes in the configured database.

    Raises DatabaseUnavailable, SchemaOutdated, InvalidInput.
    """
    return StoredFineTunes(open_database(settings.database_url))


def _store() -> ArtifactStore:
    return open_store(current().artifacts_url)


def _manifest(asked: Asked, data: bytes) -> dict[str, Any]:
    corpus: Corpus = asked.corpus
    return {
        "directory": asked.directory,
        "corpus": {
            "digest": digest(data),
            "origin": corpus.origin,
            "train": msgspec.to_builtins(corpus.report.train),
            "held_out": msgspec.to_builtins(corpus.report.held_out),
        },
    }


def _proof(store: ArtifactStore, asked: Asked, corpus: str) -> dict[str, Any] | None:
    if not asked.elsewhere:
        return None
    elsewhere = [open_dataset(name) for name in asked.elsewhere]
    found: dict[str, Any] = msgspec.to_builtins(
        proof.wished(store, asked.proof_n, corpus, asked.private, elsewhere)
    )
    return found


def _travelling(store: ArtifactStore, base: str, tell: Tell) -> str:
    """The weights under a name by which every worker finds them."""
    if current().is_embedded or not Path(base).is_dir():
        return base
    tell(f"storing {base} where every host finds it")
    return f"artifact:{store_directory(store, Path(base))}"

"""Where a benchmarked model comes from: looked up when a run is planned, said beside its scores.

Every challenge is looked for in the corpus, half a second for each megabyte of it. What an earlier
run of the same model found on the same challenges is taken from its manifest.
"""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import Connection

from crucible_infra.artifacts import ArtifactStore
from crucible_infra.database.adapters import adapter_of_artifact
from crucible_infra.database.fine_tunes import find_fine_tune
from crucible_infra.database.runs import newest_run_of
from crucible_infra.errors import ArtifactMissing, InvalidModelSpec
from crucible_infra.fine_tune_rows import AdapterRow
from crucible_tasks.challenges import Dataset
from crucible_tasks.model_spec import parse
from crucible_tasks.registered import Registered, registered_in

_ARTIFACT = "artifact:"

#: corpora with datasets whose overlap is remembered: a sweep has some of them
_REMEMBERED = 64


def provenance(
    connection: Connection, artifacts: ArtifactStore, spec: str, dataset: Dataset
) -> Registered | None:
    """What is to be said of this model on this dataset; None for one that no fine-tune has made.

    The same where its corpus is gone from the store: nobody can look any more.
    """
    adapter = _adapter(connection, spec)
    made_by = None if adapter is None else find_fine_tune(connection, adapter.fine_tune_id)
    if adapter is None or made_by is None:
        return None
    before = newest_run_of(connection, spec, dataset.digest)
    known = None if before is None else registered_in(before.manifest)
    if known is not None and known.fine_tune == made_by.id:
        return known
    try:
        shared = shared_challenges(artifacts, made_by.corpus, dataset)
    except ArtifactMissing:
        return None
    count = len(dataset.challenges)
    return Registered(adapter.name, made_by.id, made_by.corpus, dataset.name, count, shared)


def shared_challenges(artifacts: ArtifactStore, corpus: str, dataset: Dataset) -> tuple[str, ...]:
    """The challenges that stand in what a model is trained on. Raises ArtifactMissing."""
    return _shared(artifacts, corpus, _Digested(dataset))


class _Digested:
    """A dataset that is the same wherever its digest is."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Digested) and self.dataset.digest == other.dataset.digest

    def __hash__(self) -> int:
        return hash(self.dataset.digest)


@lru_cache(_REMEMBERED)
def _shared(artifacts: ArtifactStore, corpus: str, asked: _Digested) -> tuple[str, ...]:
    from crucible_tasks.corpus.corpus import decode  # noqa: PLC0415 -- seldom wanted
    from crucible_tasks.corpus.overlap import overlap  # noqa: PLC0415 -- as above

    return overlap(decode(artifacts.get(corpus)), asked.dataset).trained_on


def _adapter(connection: Connection, spec: str) -> AdapterRow | None:
    try:
        found = parse(spec)
    except InvalidModelSpec:
        return None
    name = found.adapter or found.name
    if not name.startswith(_ARTIFACT):
        return None
    return adapter_of_artifact(connection, name.removeprefix(_ARTIFACT).removeprefix("sha256:"))

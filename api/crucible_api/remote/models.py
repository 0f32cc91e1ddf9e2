"""Models of another host: what answers there, and the weights that its fine-tunes have made."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from crucible_api.fine_tune_reports import FineTuneInfo, spec_of
from crucible_api.known_datasets import Known
from crucible_api.remote.artifacts import RemoteArtifacts
from crucible_api.remote.benchmarks import meant
from crucible_api.remote.connection import Server, connect, is_part, part
from crucible_infra.artifacts import CHUNK, ArtifactStore, open_store
from crucible_infra.errors import ArtifactMissing, FineTuneNotFound, ModelError
from crucible_infra.fine_tune_rows import AdapterRow
from crucible_infra.settings import Settings
from crucible_tasks.generation import ModelIdentity

_ARTIFACT = "artifact:"


def known_models(settings: Settings) -> tuple[ModelIdentity, ...]:
    """What answers there, and what was trained there."""
    return connect(settings).get("/models", tuple[ModelIdentity, ...])


def described_model(settings: Settings, spec: str) -> ModelIdentity:
    """The weights that are behind a spec there."""
    server = connect(settings)
    return server.get("/models/described", ModelIdentity, spec=meant(spec, server.url))


def known_datasets(settings: Settings) -> tuple[Known, ...]:
    """The datasets that are known by name there."""
    return connect(settings).get("/datasets", tuple[Known, ...])


def refuse_registered(settings: Settings, name: str) -> None:
    """Raise ModelError where the name is that of a model that was trained there."""
    server = connect(settings)
    if _registered(server, name) is not None:
        raise ModelError(
            f"{name} is a model of {server.url}, whose weights are there",
            hint=f"fetch it: crucible models export {name} --to gguf -o DIR",
        )


def fetched_spec(settings: Settings, name: str) -> str | None:
    """The same as a spec of this host, its weights fetched into the artifact store here."""
    server = connect(settings)
    adapter = _registered(server, name)
    if adapter is None:
        return None
    store, theirs = open_store(settings.artifacts_url), RemoteArtifacts(server)
    digests = [adapter.artifact]
    if adapter.base.startswith(_ARTIFACT):
        digests.append(adapter.base.removeprefix(_ARTIFACT))
    for digest in digests:
        _fetch(theirs, digest, store)
    return spec_of(adapter)


def _fetch(theirs: ArtifactStore, digest: str, store: ArtifactStore) -> None:
    """Keep an artifact here, unless it is here already."""
    try:
        store.size(digest)
    except ArtifactMissing:
        with tempfile.TemporaryFile() as file:
            file.writelines(theirs.chunks(digest))
            store.put_chunks(lambda: _pieces(file))


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(CHUNK):
        yield chunk


def _registered(server: Server, name: str) -> AdapterRow | None:
    if not is_part(name):
        return None
    try:
        found = server.get(f"/fine-tunes/{part(name)}", FineTuneInfo)
    except FineTuneNotFound:
        return None
    return found.adapter if found.row.name == name else None

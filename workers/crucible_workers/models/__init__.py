"""Model clients: `open_model` turns a spec into a Model."""

from __future__ import annotations

import sys

from crucible_infra import settings
from crucible_infra.errors import InvalidModelSpec
from crucible_tasks.model_spec import ModelKind, ModelSpec, parse
from crucible_workers.models import in_process
from crucible_workers.models.interface import Model
from crucible_workers.models.patience import Patience

# httpx has a command line of its own where it finds rich, and loading that takes as long as httpx
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]


def open_model(spec: str, dataset: str | None, patience: Patience | None = None) -> Model:
    """Open the model that a spec means; `Model` lists what is raised.

    `dataset` is the digest of the dataset that `reference` answers from. A wrong name is noticed
    here, against the server's own list.
    """
    # each client loads its engine when it is wanted: a replay needs no HTTP
    wanted = _resolved(parse(spec))
    waiting = patience or Patience(outage=settings.current().outage_seconds)
    match wanted.kind:
        case ModelKind.REPLAY:
            from crucible_workers.models.replay import open_replay  # noqa: PLC0415

            return open_replay(wanted.name)
        case ModelKind.REFERENCE:
            from crucible_workers.models.reference import open_reference  # noqa: PLC0415

            return open_reference(dataset)
        case ModelKind.NANO:
            from crucible_workers.models.nano import open_nano  # noqa: PLC0415

            return open_nano(wanted.name, wanted.adapter)
        case ModelKind.HF:
            return _open_weights(wanted, waiting)
        case _:
            return _open_served(wanted, waiting)


def _resolved(spec: ModelSpec) -> ModelSpec:
    if spec.kind is not ModelKind.NAME:
        return spec
    from crucible_workers.models.discovery import resolve  # noqa: PLC0415

    return resolve(spec)


def _open_weights(spec: ModelSpec, patience: Patience) -> Model:
    if not in_process.is_installed():
        hint = "pip install 'codecrucible[train]', or serve them and write openai:URL#NAME"
        raise InvalidModelSpec(f"{spec} needs torch and transformers", hint=hint)
    # looked up while huggingface_hub is imported: nothing may be fetched behind anybody's back
    settings.prefer("HF_HUB_OFFLINE", "1")
    from crucible_workers.models.transformers_model import open_transformers  # noqa: PLC0415

    return open_transformers(spec, patience)


def _open_served(spec: ModelSpec, patience: Patience) -> Model:
    from crucible_workers.models import discovery  # noqa: PLC0415

    current = settings.current()
    if spec.kind is ModelKind.OLLAMA:
        from crucible_workers.models.ollama import open_ollama  # noqa: PLC0415

        return open_ollama(spec, spec.url or discovery.ollama_url(current.ollama_host), patience)
    from crucible_workers.models.openai_server import open_openai  # noqa: PLC0415

    assert spec.url is not None
    key = discovery.key_for(spec.url, current)
    return open_openai(spec, spec.url, patience, key)

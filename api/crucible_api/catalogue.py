"""What there is to choose from, and where it is put: here, on the cluster, or behind a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crucible_infra.settings import Settings

if TYPE_CHECKING:
    from crucible_api.known_datasets import Known
    from crucible_api.model_choice import Tell
    from crucible_infra.artifacts import ArtifactStore
    from crucible_tasks.generation import ModelIdentity


def known_models(settings: Settings) -> tuple[ModelIdentity, ...]:
    """The models that fine-tunes have made, and those that answer; needs workers."""
    # each brings libraries that the other has no use for
    if settings.server is not None:
        from crucible_api.remote import models  # noqa: PLC0415

        return models.known_models(settings)
    from crucible_api import model_choice  # noqa: PLC0415

    return (*model_choice.registered_models(), *model_choice.answering_here())


def described_model(settings: Settings, spec: str, tell: Tell) -> ModelIdentity:
    """The weights that are behind a spec; needs workers. Raises InvalidModelSpec, ModelError."""
    if settings.server is not None:
        from crucible_api.remote import models  # noqa: PLC0415

        return models.described_model(settings, spec)
    from crucible_api import model_choice  # noqa: PLC0415

    return model_choice.describe(spec, tell)


def known_datasets(settings: Settings) -> tuple[Known, ...]:
    """The datasets known by name, and whether they are there already."""
    if settings.server is not None:
        from crucible_api.remote import models  # noqa: PLC0415

        return models.known_datasets(settings)
    from crucible_api import known_datasets as here  # noqa: PLC0415

    return here.known_datasets(settings)


def weights_here(settings: Settings, model: str) -> str:
    """The spec of a model whose weights are on this host; a server's are fetched first."""
    from crucible_api import model_choice  # noqa: PLC0415

    if settings.server is not None:
        from crucible_api.remote import models  # noqa: PLC0415

        fetched = models.fetched_spec(settings, model)
        if fetched is not None:
            return fetched
    return model_choice.resolved(model)


def open_artifacts(settings: Settings) -> ArtifactStore:
    """Where whoever does the work finds artifacts."""
    if settings.server is not None:
        from crucible_api.remote.artifacts import RemoteArtifacts  # noqa: PLC0415
        from crucible_api.remote.connection import connect  # noqa: PLC0415

        return RemoteArtifacts(connect(settings))
    from crucible_infra.artifacts import open_store  # noqa: PLC0415

    return open_store(settings.artifacts_url)

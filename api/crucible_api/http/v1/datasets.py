"""Datasets over HTTP: those known by name."""

from __future__ import annotations

from dataclasses import replace

from crucible_api.http.routes import api_router
from crucible_api.http.services import Serving
from crucible_api.known_datasets import Known, known_datasets

router = api_router("datasets")


@router.get("")
def list_datasets(serving: Serving) -> tuple[Known, ...]:
    """List the datasets known by name, and whether the server has them already."""
    # where the server keeps them is nobody's business
    return tuple(replace(one, file=None) for one in known_datasets(serving.settings))

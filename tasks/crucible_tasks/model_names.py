"""What a name of the user's configuration means, wherever a model is named.

NAME             an alias of `[models.NAME]`, which may stand for another
ENDPOINT/MODEL   a model of the server `[endpoints.ENDPOINT]`

Doors ask here before anything is sent: workers know nobody's configuration. A router's name stays
as it is, and so does everything that no configuration knows.
"""

from __future__ import annotations

from dataclasses import replace

from crucible_infra.errors import InvalidModelSpec
from crucible_infra.settings import Settings
from crucible_tasks.model_spec import ModelKind, ModelSpec, parse


def spelled_out(text: str, settings: Settings) -> str:
    """The spec without aliases and endpoints. Raises InvalidModelSpec."""
    spec, seen = parse(text), [text.strip()]
    while spec.kind is ModelKind.NAME:
        meant = _meant(spec.name, settings)
        if meant is None:
            break
        if meant in seen:
            raise InvalidModelSpec(f"models go in a circle: {' -> '.join([*seen, meant])}")
        seen.append(meant)
        spec = _styled(parse(meant), spec.style)
    return text if len(seen) == 1 else str(spec)


def _meant(name: str, settings: Settings) -> str | None:
    entry = settings.models.get(name)
    if entry is not None:
        # a router's members are found by whoever opens it
        return entry.spec
    place, slash, model = name.partition("/")
    endpoint = settings.endpoints.get(place) if slash else None
    return f"{endpoint.kind}:{endpoint.url}#{model}" if endpoint else None


def _styled(spec: ModelSpec, style: str | None) -> ModelSpec:
    return spec if style is None else replace(spec, style=style)

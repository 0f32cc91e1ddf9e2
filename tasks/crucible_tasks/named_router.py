"""The router that a name of the configuration means, or a spec spells out; not the built-in one."""

from __future__ import annotations

from dataclasses import replace

from crucible_infra.settings import current
from crucible_tasks.model_names import spelled_out
from crucible_tasks.model_spec import ModelKind, ModelSpec, parse
from crucible_tasks.router import BUILT_IN, Router, read_router, restyled, router_of


def named_router(spec: ModelSpec) -> Router | None:
    """The router, its members' aliases resolved; None for the spec of a model.

    Raises InvalidInput for a router that means nothing.
    """
    if spec.kind is ModelKind.ROUTER:
        return read_router(spec.name)
    entry = current().models.get(spec.name) if spec.kind is ModelKind.NAME else None
    if entry is None or entry.router is None:
        return None
    router = router_of(spec.name, entry.router)
    members = tuple(replace(one, spec=spelled_out(one.spec, current())) for one in router.members)
    router = replace(router, members=members)
    return router if spec.style is None else restyled(router, spec.style)


def is_router(text: str) -> bool:
    """Whether a spec means several models: it spells a router out, or is the name of one.

    `hybrid` is built in where the configuration gives this name to nothing.
    """
    spec = parse(text)
    if spec.kind is not ModelKind.NAME:
        return spec.kind is ModelKind.ROUTER
    entry = current().models.get(spec.name)
    return spec.name == BUILT_IN if entry is None else entry.router is not None

"""Which router a model's name means: one that is spelled out, a configured one, or the built-in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from crucible_infra.errors import InvalidInput
from crucible_infra.settings import current

if TYPE_CHECKING:
    from crucible_api.model_choice import Tell
    from crucible_tasks.generation import ModelIdentity
    from crucible_tasks.model_spec import ModelSpec
    from crucible_tasks.router import Router


def find_router(spec: ModelSpec, tell: Tell | None) -> Router | None:
    """The router a spec means, frozen or not; None where it means a model.

    A configured name goes before everything, the built-in `hybrid` behind the models of
    fine-tunes. Raises InvalidInput for a router that means nothing, ModelNotFound for `hybrid`
    where fewer than two servers answer.
    """
    from crucible_tasks.model_spec import ModelKind
    from crucible_tasks.named_router import named_router
    from crucible_tasks.router import restyled

    router = named_router(spec)
    if router is not None or spec.kind is not ModelKind.NAME or spec.name in current().models:
        return router
    found = _built_in(spec.name, tell)
    return found if found is None or spec.style is None else restyled(found, spec.style)


def frozen_identity(router: Router) -> ModelIdentity:
    """Freeze a router's members as they are now, and ask a worker whether it can do the work.

    Raises ModelError for a member that does not answer, InvalidInput for members that cannot be
    one model, and for those that no single host of a cluster is known to reach.
    """
    from crucible_api.model_choice import answering, describe
    from crucible_tasks.capability import one_host_has
    from crucible_tasks.router import freeze

    if not router.is_frozen:
        router = freeze(router, [describe(one.spec) for one in router.members])
    specs = [one.spec for one in router.members]
    if not current().is_embedded and not one_host_has(specs):
        raise InvalidInput(
            f"router {router.name}: {' and '.join(specs)} are models of whichever host has them, "
            "and one host must reach them all",
            hint="name the hosts of all but one: ollama:http://HOST:11434#NAME",
        )
    return answering(router.spec)


def default_router(
    models: tuple[ModelIdentity, ...], style: str | None, tell: Tell
) -> ModelIdentity | None:
    """The built-in router over what answers on this host, frozen; None where it makes none.

    Only where this process does the work: the models a cluster's workers list are each one's own.
    """
    from crucible_api.model_choice import unnamed
    from crucible_tasks.built_in_router import built_in
    from crucible_tasks.model_spec import parse
    from crucible_tasks.router import describe, restyled

    router = built_in([parse(one.spec) for one in models]) if current().is_embedded else None
    if router is None:
        return None
    try:
        found = frozen_identity(router if style is None else restyled(router, style))
    except InvalidInput as error:
        tell(f"{error.message}; so only one of them is asked")
        return None
    asked = f"the built-in router {found.name}, {describe(router)}"
    tell(unnamed(asked, len(models) - len(router.members)))
    return found


def with_fallback(model: ModelIdentity) -> ModelIdentity:
    """The same, but a router whose members pass their turn on when they fail."""
    from crucible_tasks.router import identity_of, router_in

    router = router_in(model.spec)
    return model if router is None else identity_of(replace(router, falls_back=True))


def _built_in(name: str, tell: Tell | None) -> Router | None:
    from crucible_api.model_choice import answering_here, registered_spec
    from crucible_tasks.built_in_router import asked_for
    from crucible_tasks.model_spec import parse
    from crucible_tasks.router import BUILT_IN, describe

    if name != BUILT_IN or registered_spec(name) is not None:
        return None
    models = answering_here()
    if any(one.name.removesuffix(":latest") == BUILT_IN for one in models):
        return None
    router = asked_for([parse(one.spec) for one in models])
    if tell is not None:
        tell(f"{BUILT_IN} is built in here: {describe(router)}")
    return router

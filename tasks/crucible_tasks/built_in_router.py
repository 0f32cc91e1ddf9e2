"""The built-in `hybrid`: a router over what answers here, where no configuration describes one.

One model of each server: its first code model, else its first that can answer. The smallest of them
by the parameters in its name is fast, the largest is quality; where a name does not tell, the order
in which servers are looked for decides. Fast and quality make a cascade on every signal. Two
servers with the same model make a fallback, because a second draw would be the same answer.

So it is a matter of the specs that answer, and of nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol, TypeVar

from crucible_infra.errors import ModelNotFound
from crucible_tasks.model_spec import ModelKind, ModelSpec
from crucible_tasks.router import BUILT_IN, Member, Policy, Router, Signal, checked

#: billions or millions of parameters: `7b`, `1.5b`, `8x7b`, `360m`
_SIZE = re.compile(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)([bm])(?![a-z0-9])")

_LATEST = ":latest"


class _Named(Protocol):
    @property
    def name(self) -> str:
        """It tells what a model is for."""


Named = TypeVar("Named", bound=_Named)


def built_in(specs: Sequence[ModelSpec]) -> Router | None:
    """The router over these models, in the order they were found; None for fewer than two servers.

    An Ollama that is also listed in OpenAI's dialect, at its /v1, has the same models there and is
    one server.
    """
    servers: dict[str, list[ModelSpec]] = {}
    for spec in specs:
        servers.setdefault(spec.url or str(spec.kind), []).append(spec)
    ollamas = [_names(found) for found in servers.values() if found[0].kind is ModelKind.OLLAMA]
    chosen: list[ModelSpec] = [
        one
        for found in servers.values()
        if found[0].kind is ModelKind.OLLAMA or _names(found) not in ollamas
        for one in [preferred(found)]
        if one is not None
    ]
    if len(chosen) < 2:
        return None
    sizes = [_billions(one.name) for one in chosen]
    if None not in sizes:
        chosen.sort(key=lambda one: _billions(one.name) or 0.0)
    fast, quality = chosen[0], chosen[-1]
    is_same = _plain(fast.name) == _plain(quality.name)
    members = (Member("fast", str(fast)), Member("quality", str(quality)))
    if is_same:
        return checked(Router(BUILT_IN, Policy.FALLBACK, members, max_draws=1))
    return checked(Router(BUILT_IN, Policy.CASCADE, members, tuple(Signal), max_draws=2))


def asked_for(specs: Sequence[ModelSpec]) -> Router:
    """The router over these models, where it was named. Raises ModelNotFound."""
    router = built_in(specs)
    if router is None:
        raise ModelNotFound(
            "hybrid is a router over the model servers that answer, and there are fewer than two",
            hint="start another one, or describe the router as [models.hybrid] in the "
            "configuration",
        )
    return router


def preferred(models: Sequence[Named]) -> Named | None:
    """The most likely code model; models that only embed text cannot answer at all."""
    able = [one for one in models if "embed" not in one.name.lower()]
    coders = [one for one in able if "cod" in one.name.lower()]
    return next(iter(coders or able), None)


def _names(specs: Sequence[ModelSpec]) -> frozenset[str]:
    return frozenset(_plain(one.name) for one in specs)


def _plain(name: str) -> str:
    return name.lower().removesuffix(_LATEST)


def _billions(name: str) -> float | None:
    found = _SIZE.search(name.lower())
    if found is None:
        return None
    times, number, unit = found.groups()
    return int(times or 1) * float(number) / (1 if unit == "b" else 1000)

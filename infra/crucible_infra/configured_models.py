"""Models by the names a user's configuration gives them: an alias of a spec, or a router."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RouterMember:
    """One of the models a router may ask."""

    #: what the policy uses it for, like "small" or "large"
    role: str
    #: a model spec, or the name of an alias
    spec: str


@dataclass(frozen=True, slots=True)
class RouterEntry:
    """A router as it was written down; what its words mean is the router's business."""

    policy: str
    members: tuple[RouterMember, ...]
    #: the signals on which a cascade asks its next member
    escalate_on: tuple[str, ...] = ()
    #: how many answers one request may cost
    max_draws: int = 3


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """What one configured name stands for: exactly one of the two."""

    spec: str | None = None
    router: RouterEntry | None = None


@dataclass(frozen=True, slots=True)
class EndpointEntry:
    """A model server by name: `NAME/MODEL` is one of its models."""

    #: http or https
    url: str
    #: "openai" or "ollama"
    kind: str = "openai"
    #: the name of the key that is sent there, and nowhere else for its sake
    key: str | None = None

"""The keys of configuration files: each stands for a variable of the environment.

A key is its variable's name in small letters, without `CRUCIBLE_`. What a file says holds only
where the variable says nothing, so there is one reading of each value, in `settings`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: `process` is no security boundary and never chosen by itself
SANDBOXES = ("namespaces", "container", "process")

#: a measured throughput must be the sandbox's own, and not every host may be trusted
VERDICT_CACHES = ("on", "off")

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

LOG_FORMATS = ("text", "json")

Scalar = str | bool | int | float


@dataclass(frozen=True, slots=True)
class Key:
    """One value that a configuration file may set."""

    name: str
    variable: str
    #: the field of Settings that holds the value in the end
    field: str
    kind: type[Scalar] = str
    #: the values there are, where not any will do
    choices: tuple[str, ...] = ()
    #: whether a cloned repository may set it before anybody trusts it: nothing that could send a
    #: file elsewhere, start a program, weaken the sandbox, choose a key or put words in our mouth
    is_harmless: bool = False
    #: whether no project's file may set it, not even a trusted one: the user's token goes there
    #: unasked, whereas a key goes only to the endpoint that names it, which trust is about
    is_users_own: bool = False

    def problem(self, value: object) -> str | None:
        """What is wrong with a value; None when nothing is."""
        # to Python, True is an int and 1 is a fine float
        is_right = type(value) is self.kind or (self.kind is float and type(value) is int)
        if not is_right:
            return f"{self.name} wants {_WANTED[self.kind]}, like {_LIKE[self.kind]}"
        if isinstance(value, int | float) and not 0 <= value < math.inf:
            return f"{self.name} wants no less than 0"
        if self.choices and str(value).lower() not in {one.lower() for one in self.choices}:
            return f"{self.name}: there is no {value!r}; it is one of {', '.join(self.choices)}"
        if isinstance(value, str) and (not value or "\0" in value):
            return f"{self.name} is empty" if not value else f"{self.name} holds a NUL"
        return None


_WANTED: dict[type[Scalar], str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}

_LIKE: dict[type[Scalar], str] = {str: '"…"', bool: "true", int: "9464", float: "60"}

KEYS = {
    key.name: key
    for key in (
        Key("model", "CRUCIBLE_MODEL", "default_model"),
        Key("extract", "CRUCIBLE_EXTRACT", "extract", bool, is_harmless=True),
        # not harmless: it would speak to the model about files that are none of the repository's
        Key("system", "CRUCIBLE_SYSTEM", "system"),
        Key("ollama_host", "OLLAMA_HOST", "ollama_host"),
        Key("openai_base_url", "OPENAI_BASE_URL", "openai_base_url"),
        Key("server", "CRUCIBLE_SERVER", "server", is_users_own=True),
        Key("broker_url", "CRUCIBLE_BROKER_URL", "broker_url"),
        Key("database_url", "CRUCIBLE_DATABASE_URL", "database_url"),
        Key("artifacts_url", "CRUCIBLE_ARTIFACTS_URL", "artifacts_url"),
        Key("sandbox", "CRUCIBLE_SANDBOX", "sandbox_backend", choices=SANDBOXES),
        Key("container_engine", "CRUCIBLE_CONTAINER_ENGINE", "container_engine"),
        Key("container_runtime", "CRUCIBLE_CONTAINER_RUNTIME", "container_runtime"),
        Key("container_image", "CRUCIBLE_CONTAINER_IMAGE", "container_image"),
        Key("node", "CRUCIBLE_NODE", "node"),
        Key("verdict_cache", "CRUCIBLE_VERDICT_CACHE", "verdict_cache", choices=VERDICT_CACHES),
        Key("outage_seconds", "CRUCIBLE_OUTAGE_SECONDS", "outage_seconds", float),
        Key("log_level", "CRUCIBLE_LOG_LEVEL", "log_level", choices=LOG_LEVELS),
        Key("log_format", "CRUCIBLE_LOG_FORMAT", "log_format", choices=LOG_FORMATS),
        Key("metrics_port", "CRUCIBLE_METRICS_PORT", "metrics_port", int),
        Key("metrics_address", "CRUCIBLE_METRICS_ADDRESS", "metrics_address"),
        Key("flower_url", "CRUCIBLE_FLOWER_URL", "flower_url"),
    )
}

#: the tables beside them
TABLES = ("models", "endpoints", "profiles")


def as_text(value: Scalar) -> str:
    """A value as its variable would hold it."""
    return str(int(value)) if isinstance(value, bool) else str(value)

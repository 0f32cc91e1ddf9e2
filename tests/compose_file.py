"""Reads docker-compose.yml as compose does: references resolved, variables at their defaults."""

from __future__ import annotations

import re
from typing import Any

import yaml

from source_tree import ROOT

#: ${NAME:-default}, and $$ for one $
_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+):-(?P<default>[^}]*)\})")

#: our own images; every other one comes from its maker
OURS = ("codecrucible:0.1.0", "codecrucible-train:0.1.0")

Service = dict[str, Any]


def compose_file() -> dict[str, Any]:
    """The whole file."""
    read: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return {name: _filled(part) for name, part in read.items()}


def services() -> dict[str, Service]:
    """Every service by name."""
    found: dict[str, Service] = compose_file()["services"]
    return found


def ours() -> dict[str, Service]:
    """The services that run our own program."""
    return {name: one for name, one in services().items() if one["image"] in OURS}


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _filled(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_filled(one) for one in value]
    return _VARIABLE.sub(_default, value) if isinstance(value, str) else value


def _default(match: re.Match[str]) -> str:
    return "$" if match["name"] is None else match["default"]

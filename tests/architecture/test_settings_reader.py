"""Only settings.py reads the environment."""

from __future__ import annotations

import ast

from source_tree import Module, modules

READER = "crucible_infra.settings"

#: ways to it in os
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb"}


def test_only_the_settings_read_the_environment() -> None:
    readers = [
        f"{module.place}:{line}"
        for module in modules()
        if module.name != READER
        for line in _reads(module)
    ]

    assert readers == []


def _reads(module: Module) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT)
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and _names_it(node))
    ]


def _names_it(node: ast.ImportFrom) -> bool:
    return any(alias.name in ENVIRONMENT for alias in node.names)

"""Every error is in errors.py, and its docstring draws the whole tree."""

from __future__ import annotations

import ast
import inspect

from crucible_infra import errors
from source_tree import modules

#: exceptions of their own: scripts that run without our packages
APART = "crucible_workers.sandbox.prison"


def _classes() -> list[type[errors.CrucibleError]]:
    return [
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, errors.CrucibleError)
    ]


def test_the_docstring_draws_every_error_below_its_parent() -> None:
    drawn: dict[str, int] = {}
    for line in (errors.__doc__ or "").splitlines():
        name = line.lstrip("│├└─ ").partition(" ")[0]
        drawn[name] = len(line) - len(line.lstrip("│├└─ "))
    for error in _classes():
        depth = len(error.mro()) - len(errors.CrucibleError.mro())
        assert drawn.get(error.__name__) == 4 * depth, error.__name__


def test_every_error_has_a_message_of_its_own() -> None:
    assert [error for error in _classes() if "__doc__" not in vars(error)] == []


def test_no_other_module_defines_a_public_error() -> None:
    elsewhere = [
        f"{module.place}:{node.lineno} {node.name}"
        for module in modules()
        if module.name != errors.__name__ and not module.name.startswith(APART)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        if any(_is_error(base) for base in node.bases)
    ]

    assert elsewhere == []


def _is_error(base: ast.expr) -> bool:
    name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
    return name.endswith(("Exception", "Error")) or hasattr(errors, name)

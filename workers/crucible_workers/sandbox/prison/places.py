"""Where in a module a function lies, methods included, and what of it can be called.

Both sides look: the tests' for the function that is replaced, the program's for the one that
replaces it. A property or class method is called as the function below it.
"""

from __future__ import annotations

import functools
import types
from typing import Any

#: how a method is bound, by what lies in its class
_BINDINGS: dict[str, type] = {
    "property": property,
    "staticmethod": staticmethod,
    "classmethod": classmethod,
    "cached_property": functools.cached_property,
}
#: where descriptors and caches keep the function that they were given
_BELOW = ("__func__", "fget", "func", "__wrapped__")
#: such wrappings around each other
_DEEPEST = 8


def mangled(name: str, classes: list[str]) -> str:
    """A method's name as its class has it."""
    is_private = name.startswith("__") and not name.endswith("__")
    owner = classes[-1].lstrip("_") if classes else ""
    return f"_{owner}{name}" if is_private and owner else name


def look_up(module: types.ModuleType, path: str) -> Any:
    """What lies in the module or class itself, not what a class inherits; None for nothing."""
    *classes, name = path.split(".")
    owner: Any = module
    for each in classes:
        owner = vars(owner).get(each)
        if not isinstance(owner, type):
            return None
    return vars(owner).get(mangled(name, classes))


def binding_of(found: object) -> str:
    """How a method is bound; empty for a plain one."""
    return next((name for name, kind in _BINDINGS.items() if type(found) is kind), "")


def bound(function: object, binding: str) -> object:
    """A plain function, bound in that way."""
    kind = _BINDINGS.get(binding)
    return kind(function) if kind is not None and callable(function) else function


def function_of(found: Any) -> Any:
    """The function below a binding or a cache; what has none, as it is."""
    for _ in range(_DEEPEST):
        if isinstance(found, (types.FunctionType, type)):
            break
        below = [getattr(found, name, None) for name in _BELOW]
        found = next(filter(callable, below), found)
    return found

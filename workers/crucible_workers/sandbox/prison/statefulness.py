"""Whether judging one program can leave something behind in the process that runs the tests.

Where it cannot, the challenge's own process runs the tests for every program; else each program
gets a fork of it, which costs about a millisecond. What is not clearly harmless counts as state.
"""

from __future__ import annotations

import ast
import types
from typing import Any

#: modules without anything to set, seed, register or cache by key
_STATELESS_MODULES = frozenset(
    "__future__ math cmath typing copy itertools functools collections string re json operator "
    "heapq bisect fractions datetime statistics dataclasses enum abc textwrap numbers".split()
)
#: names that reach objects, modules or files by other ways than this analysis follows
_REACHING_NAMES = frozenset(
    "setattr delattr exec eval compile globals vars locals __import__ open input print lru_cache "
    "cache cached_property singledispatch __builtins__ __dict__ __defaults__ __class__".split()
)
_IMMUTABLE = (type(None), bool, int, float, complex, str, bytes, range, types.ModuleType)


def keeps_state(prompt: str, tests: dict[str, Any], namespace: dict[str, Any]) -> bool:
    """Judge by the tests' and the prompt's code, and by what the prompt left in `namespace`."""
    if any(_is_mutable(value) for name, value in namespace.items() if not _is_ours(name)):
        return True
    sources = (prompt, f"{prompt}\n    pass\n", tests.get("source", ""))
    trees = [tree for tree in map(_parsed, sources) if tree is not None]
    return any(_reaches_out(node) for tree in trees for node in ast.walk(tree))


def _is_ours(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return None


def _is_mutable(value: object) -> bool:
    if isinstance(value, types.FunctionType):
        defaults = (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values())
        return any(map(_is_mutable, defaults)) or bool(vars(value))
    if isinstance(value, (tuple, frozenset)):
        return any(map(_is_mutable, value))
    # builtins, and what `typing` makes of `List[int]`; a class is looked at in the source
    is_inert = isinstance(value, (type, types.BuiltinFunctionType)) or _module(value) == "typing"
    return not (is_inert or isinstance(value, _IMMUTABLE))


def _module(value: object) -> str:
    return type(value).__module__


def _reaches_out(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return not isinstance(node.ctx, ast.Load) or node.attr in _REACHING_NAMES
    if isinstance(node, ast.Name):
        return node.id in _REACHING_NAMES
    if isinstance(node, ast.Import):
        return any(not _is_stateless(alias.name) for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return not _is_stateless(node.module or "")
    return isinstance(node, (ast.Global, ast.AsyncFunctionDef, ast.Await))


def _is_stateless(module: str) -> bool:
    return module.partition(".")[0] in _STATELESS_MODULES

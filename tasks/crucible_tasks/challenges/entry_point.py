"""The function that assertions test, found in the source of a solution."""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator


def entry_point_of(reference: str, assertions: Iterable[str]) -> str | None:
    """Return the name that `reference` defines and the assertions call, or None.

    A function beats a class (`f(Pair(1, 2))` tests f), then the name more assertions call wins,
    then the outermost one (`f(g(1))` tests f).
    """
    functions, others = _definitions(_parse(reference))
    called: Counter[str] = Counter()
    for assertion in _parse("\n".join(assertions)).body:
        # dict.fromkeys keeps the order of appearance and counts an assertion once
        called.update(list(dict.fromkeys(_called(assertion))))
    for defined in (functions, others):
        # max takes the first of equals, and a Counter keeps the order of insertion
        names = [name for name in called if name in defined]
        if names:
            return max(names, key=lambda name: called[name])
    return None


def _definitions(module: ast.Module) -> tuple[set[str], set[str]]:
    """Names of functions, and of everything else, that the module's top level binds."""
    functions: set[str] = set()
    others: set[str] = set()
    for node in module.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            functions.add(node.name)
        elif isinstance(node, ast.ClassDef):
            others.add(node.name)
        elif isinstance(node, ast.Assign):
            names = {target.id for target in node.targets if isinstance(target, ast.Name)}
            (functions if isinstance(node.value, ast.Lambda) else others).update(names)
    return functions, others


def _called(assertion: ast.stmt) -> Iterator[str]:
    # ast.walk goes breadth first, so outer calls come before inner ones
    for node in ast.walk(assertion):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


def _parse(source: str) -> ast.Module:
    """Parse; a source that is not Python defines and calls nothing."""
    with warnings.catch_warnings():
        # published solutions hold regular expressions with invalid escapes
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ast.Module(body=[], type_ignores=[])

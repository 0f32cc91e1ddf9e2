"""Which names the top level of a Python module binds, and how well."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from enum import IntEnum

#: names every module can use
ALWAYS_THERE = frozenset(dir(builtins)) | {"__file__", "__annotations__"}

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
#: what is inside these binds nothing at the top level
_OWN_SCOPES = (
    *_FUNCTIONS, ast.ClassDef, ast.Lambda,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip


class Definition(IntEnum):
    """How a module defines a name, best first."""

    #: a function or class with a body, or a lambda
    WHOLE = 0
    #: some other assignment
    ASSIGNED = 1
    #: a function whose body says nothing: a signature to be filled in
    STUB = 2
    #: brought from elsewhere, as usage examples do
    IMPORTED = 3
    MISSING = 4


def definition(tree: ast.Module, name: str) -> Definition:
    """The best way the module's top level defines the name.

    A method counts for its name too: some datasets ask for `twoSum` and mean the method of
    `class Solution`.
    """
    found = [_definition(node, name) for statement in tree.body for node in own_nodes(statement)]
    return min(found, default=Definition.MISSING)


def bound_names(statement: ast.stmt) -> frozenset[str]:
    """The names a top-level statement binds."""
    return frozenset(name for node in own_nodes(statement) for name in _bound_by(node))


def mutated_names(statement: ast.stmt) -> frozenset[str]:
    """Names whose objects a statement changes: `a[0] = …`, `a.b = …`, `a.append(…)`."""
    found = set()
    for node in own_nodes(statement):
        target: ast.expr | None = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            target = node.func.value
        elif isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            target = node.value
        while isinstance(target, ast.Attribute | ast.Subscript):
            target = target.value
        if isinstance(target, ast.Name):
            found.add(target.id)
    return frozenset(found)


def own_nodes(statement: ast.stmt) -> Iterator[ast.AST]:
    """The statement's nodes, the insides of functions, classes and comprehensions left out."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _OWN_SCOPES):
            waiting.extend(ast.iter_child_nodes(node))


def _definition(node: ast.AST, name: str) -> Definition:
    if isinstance(node, ast.ClassDef) and node.name != name:
        methods = [_definition(each, name) for each in node.body if isinstance(each, _FUNCTIONS)]
        return min(methods, default=Definition.MISSING)
    if name not in _bound_by(node):
        return Definition.MISSING
    if isinstance(node, _FUNCTIONS):
        return Definition.STUB if _is_stub(node) else Definition.WHOLE
    if isinstance(node, ast.ClassDef):
        return Definition.WHOLE
    if isinstance(node, ast.Import | ast.ImportFrom):
        return Definition.IMPORTED
    has_lambda = isinstance(node, ast.Assign | ast.AnnAssign) and any(
        isinstance(each, ast.Lambda) for each in ast.walk(node)
    )
    return Definition.WHOLE if has_lambda else Definition.ASSIGNED


def _bound_by(node: ast.AST) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name.partition(".")[0] for alias in node.names]
    if isinstance(node, ast.Assign):
        return [name for target in node.targets for name in _stored(target)]
    if isinstance(node, ast.AnnAssign):
        return _stored(node.target)
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return [node.id]
    return []


def _stored(target: ast.expr) -> list[str]:
    return [
        node.id
        for node in ast.walk(target)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]


def _is_stub(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return all(
        isinstance(statement, ast.Pass)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        or _is_not_implemented(statement)
        for statement in function.body
    )


def _is_not_implemented(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Raise) or statement.exc is None:
        return False
    raised = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"

"""Mutants: a function with one small mistake, in an order that its own text decides."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from crucible_tasks.repository.functions import Function, parsed
from crucible_tasks.repository.heads import without_docstring

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


def mutants(function: Function, most: int) -> tuple[str, ...]:
    """Whole programs, each wrong in one place, as far as that can be told without running it."""
    tree = parsed(function.reference)
    original = ast.dump(tree)
    made: list[str] = []
    for number, way in sorted(_places(_nodes(tree, function)), key=_mixed(function)):
        # parsing again is cheaper than copying
        changed = parsed(function.reference)
        if not _WAYS[way](_nodes(changed, function)[number]):
            continue
        text = f"{ast.unparse(ast.fix_missing_locations(changed))}\n"
        if ast.dump(changed) != original and text not in made:
            made.append(text)
        if len(made) == most:
            break
    return tuple(made)


def _mixed(function: Function) -> Callable[[tuple[int, str]], bytes]:
    """An order that is no order of the code, so that the first few come from all over it."""

    def key(place: tuple[int, str]) -> bytes:
        text = f"{function.path} {function.qualified_name} {place}"
        return hashlib.sha256(text.encode()).digest()

    return key


def _nodes(tree: ast.Module, function: Function) -> list[ast.AST]:
    """Every node of the function's body but its docstring, in one order."""
    body = without_docstring(function.find(tree))
    return [node for statement in body for node in ast.walk(statement)]


def _places(nodes: list[ast.AST]) -> Iterator[tuple[int, str]]:
    """Which node may be changed in which way."""
    for number, node in enumerate(nodes):
        for kind in type(node).__mro__:
            yield from ((number, way) for way in _FITTING.get(kind, ()))


def _compare(node: ast.Compare) -> bool:
    other = _COMPARISONS.get(type(node.ops[0]))
    if other is not None:
        node.ops[0] = other()
    return other is not None


def _operate(node: ast.BinOp | ast.AugAssign) -> bool:
    other = _OPERATORS.get(type(node.op))
    if other is not None:
        node.op = other()
    return other is not None


def _combine(node: ast.BoolOp) -> bool:
    node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    return True


def _count_on(node: ast.Constant) -> bool:
    if not isinstance(node.value, int):
        return False
    node.value = not node.value if isinstance(node.value, bool) else node.value + 1
    return True


def _negate(node: ast.If | ast.IfExp | ast.While) -> bool:
    node.test = ast.UnaryOp(ast.Not(), node.test)
    return True


def _wrap(node: ast.Return | ast.Yield) -> bool:
    """Give a list of what was to be given: wrong for whoever looks at it."""
    if node.value is None:
        return False
    node.value = ast.List([node.value], ast.Load())
    return True


def _drop(node: ast.If | ast.For | ast.While | ast.With) -> bool:
    """Leave out the first statement of a block."""
    node.body[0] = ast.Pass()
    return True


def _shorten(node: ast.Call) -> bool:
    """Confuse the first two arguments, or forget the only one."""
    if not node.args:
        return False
    if len(node.args) > 1:
        node.args[0], node.args[1] = node.args[1], node.args[0]
    else:
        node.args = []
    return True


_WAYS: dict[str, Callable[[Any], bool]] = {
    "compare": _compare,
    "operate": _operate,
    "combine": _combine,
    "count on": _count_on,
    "negate": _negate,
    "wrap": _wrap,
    "drop": _drop,
    "shorten": _shorten,
}
_FITTING: dict[type, tuple[str, ...]] = {
    ast.Compare: ("compare",),
    ast.BinOp: ("operate",),
    ast.AugAssign: ("operate",),
    ast.BoolOp: ("combine",),
    ast.Constant: ("count on",),
    ast.If: ("negate", "drop"),
    ast.IfExp: ("negate",),
    ast.While: ("negate", "drop"),
    ast.For: ("drop",),
    ast.With: ("drop",),
    ast.Return: ("wrap",),
    ast.Yield: ("wrap",),
    ast.Call: ("shorten",),
}

"""Small changes to right programs: most make them wrong, in as many ways as programs are wrong."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator

_OPERATORS: tuple[ast.operator, ...] = (
    ast.Add(),
    ast.Sub(),
    ast.Mult(),
    ast.FloorDiv(),
    ast.Div(),
    ast.Mod(),
)
_COMPARISONS: tuple[ast.cmpop, ...] = (ast.Lt(), ast.LtE(), ast.Gt(), ast.Eq(), ast.NotEq())
#: what else a program may return than the right value
_RETURNS = (
    "list({})",
    "tuple({})",
    "set({})",
    "str({})",
    "float({})",
    "bool({})",
    "int({})",
    "sorted({})",
    "iter({})",
    "(item for item in {})",
    "map(lambda item: item, {})",
    "dict.fromkeys({}).keys()",
    "[{}]",
    "None",
    "__import__('numpy').array({})",
    "__import__('decimal').Decimal({})",
    "exec('raise ValueError') or {}",
)


class _Mutation(ast.NodeTransformer):
    """Changes the node of one number, counted in the order of the walk."""

    def __init__(self, target: int, chance: random.Random) -> None:
        self._target = target
        self._chance = chance
        self.count = 0

    def _is_hit(self) -> bool:
        self.count += 1
        return self.count - 1 == self._target

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, bool | int | str) and self._is_hit():
            changed = {bool: lambda v: not v, int: lambda v: v + 1, str: lambda v: f"{v}x"}
            return ast.Constant(changed[type(node.value)](node.value))
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        # its parts are no constants of their own
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if self._is_hit():
            node.ops[0] = self._chance.choice(_COMPARISONS)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if self._is_hit():
            node.op = self._chance.choice(_OPERATORS)
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        if self._is_hit():
            node.test = ast.UnaryOp(ast.Not(), node.test)
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.generic_visit(node)
        if node.value is not None and self._is_hit():
            text = self._chance.choice(_RETURNS).format(ast.unparse(node.value))
            node.value = ast.parse(text, mode="eval").body
        return node


def mutants(source: str, chance: random.Random) -> Iterator[str]:
    """Different programs, each one change away from the source, in random order."""
    seen = {ast.unparse(ast.parse(source))}
    counting = _Mutation(-1, chance)
    counting.visit(ast.parse(source))
    for target in chance.sample(range(counting.count), counting.count):
        tree = _Mutation(target, chance).visit(ast.parse(source))
        program = ast.unparse(ast.fix_missing_locations(tree))
        if program not in seen:
            seen.add(program)
            yield program

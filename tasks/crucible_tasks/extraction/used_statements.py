"""Which statements behind a function belong to it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from crucible_tasks.extraction.names import ALWAYS_THERE, bound_names, mutated_names
from crucible_tasks.extraction.parsing import Parser

#: calls that set the interpreter up for a deep or large computation
_SETTINGS = frozenset(("setrecursionlimit", "set_int_max_str_digits"))
#: statements behind the function that are looked at, and how often
_MOST_STATEMENTS = 2_000
_MOST_PASSES = 16


@dataclass(frozen=True, slots=True)
class _Statement:
    """What a statement does to the names of its module."""

    binds: frozenset[str]
    mutates: frozenset[str]
    #: whether it binds a name to something made of its old value
    is_rebinding: bool
    is_setting: bool
    #: line numbers from 1
    lines: range


def used_lines(
    source: str, statements: Sequence[ast.stmt], head: int, name: str, parser: Parser
) -> frozenset[int]:
    """The line numbers (from 1) of the first `head` statements and of all they use.

    A later statement is used when it first binds a name that is missing, changes the object
    behind a used name, or replaces the function by a wrapped one (`f = cache(f)`).
    """
    lines = source.split("\n")
    first = statements[:head]
    end = (first[-1].end_lineno or 0) if first else 0
    left = [_statement(each) for each in statements[head:][:_MOST_STATEMENTS]]
    kept = set(range(1, end + 1))
    there = {bound for each in first for bound in bound_names(each)}
    wanted = {name} | there | parser.free_names("\n".join(lines[:end]))
    modules = _imported(statements)
    for _ in range(_MOST_PASSES):
        before = len(left)
        for each in tuple(left):
            if _is_used(each, wanted, there | ALWAYS_THERE, modules):
                left.remove(each)
                kept.update(each.lines)
                there |= each.binds
                code = "\n".join(lines[each.lines.start - 1 : each.lines.stop - 1])
                wanted |= each.binds | parser.free_names(code)
        if len(left) == before:
            break
    return frozenset(kept)


def _is_used(each: _Statement, wanted: set[str], there: set[str], modules: frozenset[str]) -> bool:
    if each.is_setting or each.binds & (wanted - there):
        return True
    if each.is_rebinding and each.binds & wanted:
        return True
    # `sys.exit()` and `unittest.main()` change no object the function uses
    return bool(each.mutates & (wanted - modules))


def _statement(statement: ast.stmt) -> _Statement:
    binds = bound_names(statement)
    decorators = getattr(statement, "decorator_list", [])
    start = min([statement.lineno, *(each.lineno for each in decorators)])
    return _Statement(
        binds,
        mutated_names(statement),
        _is_rebinding(statement, binds),
        _is_setting(statement),
        range(start, (statement.end_lineno or start) + 1),
    )


def _is_rebinding(statement: ast.stmt, binds: frozenset[str]) -> bool:
    if isinstance(statement, ast.AugAssign):
        return True
    return isinstance(statement, ast.Assign) and any(
        isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in binds
        for node in ast.walk(statement)
    )


def _is_setting(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        and isinstance(statement.value.func, ast.Attribute)
        and statement.value.func.attr in _SETTINGS
    )


def _imported(statements: Sequence[ast.stmt]) -> frozenset[str]:
    imports = (each for each in statements if isinstance(each, ast.Import | ast.ImportFrom))
    return frozenset(name for each in imports for name in bound_names(each))

"""Parse untrusted Python text within a budget of work, and never fail.

Measured on CPython 3.11: one token or line costs at most 2.6 microseconds, so the budget bounds
one extraction to about a second. Hostile nesting ends in SyntaxError, RecursionError or
MemoryError inside the parser; tests/unit/tasks/test_extraction_hostile.py feeds it the worst in a
process of its own, so a Python that dies of it is noticed.
"""

from __future__ import annotations

import ast
import re
import symtable
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

#: tokens and lines one extraction may parse; a 4,000-line answer has about 45,000
BUDGET = 250_000
#: what a parse costs however small it is
_SMALLEST_COST = 20
#: longest chain of cuts when looking for the longest prefix that parses
MAX_CUTS = 64

_FILENAME = "<completion>"
_TOKEN = re.compile(r"\w+|[^\w ]")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A syntax tree, or None and the line (from 1) that stopped the parser, if it told."""

    tree: ast.Module | None
    error_line: int | None = None


_UNREADABLE: Final = Parsed(None)


class Parser:
    """Parses for one extraction; equal sources are parsed once."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._left = budget
        self._seen: dict[str, Parsed] = {}

    def parse(self, source: str) -> Parsed:
        """The syntax tree of a module. Unreadable, too, is what exceeds the budget."""
        if source not in self._seen:
            self._seen[source] = self._parse(source)
        return self._seen[source]

    def longest_prefix(self, source: str) -> str:
        """The longest run of lines from the first that parses; "" when there is none.

        Cuts where the parser stopped, so it takes a few parses rather than one per line.
        """
        lines = source.split("\n")
        count = len(lines)
        for _ in range(MAX_CUTS):
            prefix = "\n".join(lines[:count])
            parsed = self.parse(prefix)
            if parsed.tree is not None:
                return prefix
            if parsed.error_line is None:
                return ""
            count = min(parsed.error_line, count) - 1
            while count > 0 and not lines[count - 1].strip():
                count -= 1
            if count <= 0:
                return ""
        return ""

    def free_names(self, source: str) -> frozenset[str]:
        """Names the source takes from outside: used as globals and bound nowhere at its top."""
        if not self._spend(source):
            return frozenset()
        table = _guarded(lambda: symtable.symtable(source, _FILENAME, "exec"))
        if not isinstance(table, symtable.SymbolTable):
            return frozenset()
        used: set[str] = set()
        bound: set[str] = set()
        for scope in _scopes(table):
            for symbol in scope.get_symbols():
                if symbol.is_global() and symbol.is_referenced():
                    used.add(symbol.get_name())
                if _binds_global(symbol, is_module=scope is table):
                    bound.add(symbol.get_name())
        return frozenset(used - bound)

    def _parse(self, source: str) -> Parsed:
        if not self._spend(source):
            return _UNREADABLE
        result = _guarded(lambda: ast.parse(source, filename=_FILENAME))
        if isinstance(result, ast.Module):
            return Parsed(result)
        return Parsed(None, result.lineno if isinstance(result, SyntaxError) else None)

    def _spend(self, source: str) -> bool:
        if len(source) > 20 * self._left:
            return False
        cost = _SMALLEST_COST + len(_TOKEN.findall(source))
        self._left -= min(cost, self._left)
        return self._left > 0


def _guarded(parse: Callable[[], T]) -> T | Exception:
    _silence_warnings()
    try:
        return parse()
    # null bytes and lone surrogates are ValueErrors, deep nesting the other two
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        return error


def _silence_warnings() -> None:
    # only for our file name, and only once: catch_warnings would race with other threads
    rule = ("ignore", None, Warning, re.compile(rf"{re.escape(_FILENAME)}\Z"), 0)
    if rule not in warnings.filters:
        warnings.filterwarnings("ignore", module=rf"{re.escape(_FILENAME)}\Z")


def _scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    waiting = [table]
    while waiting:
        scope = waiting.pop()
        yield scope
        waiting.extend(scope.get_children())


def _binds_global(symbol: symtable.Symbol, *, is_module: bool) -> bool:
    is_bound = symbol.is_assigned() or symbol.is_imported()
    return is_bound and (is_module or symbol.is_declared_global())

"""Cuts lines out of a Python text by whole statements, so that what is left is still a program.

Whole functions and methods go, and with them the comments above them; a class goes when nothing is
left in it. The smallest thing that is cut is a statement of the module or of a class, because half
a function is a bad example and may still tell the other half.
"""

from __future__ import annotations

import ast
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

from crucible_tasks.corpus.functions import first_line


@dataclass(frozen=True, slots=True)
class Lines:
    """Consecutive lines, from 1, both ends included."""

    first: int
    last: int

    def meets(self, other: Lines) -> bool:
        """Whether they have a line in common."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class Cut:
    """What is left of a text."""

    text: str
    #: for each of its lines, which one it was
    numbers: tuple[int, ...]


def cut(text: str, tree: ast.Module, unwanted: Iterable[Lines]) -> Cut:
    """The text without every statement that has one of these lines."""
    asked = list(unwanted)
    lines = text.split("\n")
    gone = {number for lost in asked for number in range(lost.first, lost.last + 1)}
    for statement in _statements(tree.body, asked):
        span = _span(statement)
        gone.update(range(_with_comments(lines, span.first), span.last + 1))
    return kept_lines(text, gone)


def kept_lines(text: str, gone: Container[int]) -> Cut:
    """The text without these lines, and without the blank ones that followed them."""
    lines = text.split("\n")
    kept = [number for number in range(1, len(lines) + 1) if number not in gone]
    kept = list(_closed(lines, kept))
    return Cut("\n".join(lines[number - 1] for number in kept), tuple(kept))


def _statements(body: list[ast.stmt], asked: list[Lines]) -> Iterator[ast.stmt]:
    """The statements to be cut; a class only when the cut leaves nothing in it."""
    for statement in body:
        span = _span(statement)
        inside = [lost for lost in asked if lost.meets(span)]
        if not inside:
            continue
        if not isinstance(statement, ast.ClassDef) or _meets_head(statement, inside):
            yield statement
            continue
        lost = list(_statements(statement.body, inside))
        yield from lost if any(item not in lost for item in _real(statement.body)) else [statement]


def _meets_head(statement: ast.ClassDef, asked: list[Lines]) -> bool:
    head = Lines(first_line(statement), first_line(statement.body[0]) - 1)
    return any(lost.meets(head) for lost in asked)


def _real(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that are more than a docstring or `pass`."""
    for statement in body:
        is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not is_text and not isinstance(statement, ast.Pass):
            yield statement


def _span(statement: ast.stmt) -> Lines:
    return Lines(first_line(statement), statement.end_lineno or statement.lineno)


def _with_comments(lines: list[str], first: int) -> int:
    while first > 1 and lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return first


def _closed(lines: list[str], kept: list[int]) -> Iterator[int]:
    """Without the blank lines that followed a cut: those before it are enough."""
    previous = 0
    after_cut = False
    for number in kept:
        after_cut = after_cut or number != previous + 1
        previous = number
        if after_cut and not lines[number - 1].strip():
            continue
        after_cut = False
        yield number

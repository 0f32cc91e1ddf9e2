"""The functions of a Python text, each with its lines and its shape.

A shape is the syntax tree of the body in one line of text, with what can be changed without
changing the program taken out: every name but those of builtins and attributes is numbered in the
order in which it appears; docstrings, imports, annotations, decorators, defaults, and the order of
parameters do not enter. Two functions of one shape are the same, however they are written down.
"""

from __future__ import annotations

import ast
import builtins
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

_BUILTINS = frozenset(dir(builtins))

_Definition = ast.FunctionDef | ast.AsyncFunctionDef

#: of a node: what says nothing about the computation
_SILENT = frozenset(
    ("ctx", "type_comment", "annotation", "returns", "kind", "type_params", "simple")
)

#: of a statement: where other statements stand
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")

#: nesting the interpreter's own compiler would refuse as well
_TOO_DEEP = (RecursionError, MemoryError)


@dataclass(frozen=True, slots=True)
class Shape:
    """What is left of a body when names and decoration are taken away."""

    text: str
    #: the kinds of nodes in order, with attributes, constants and builtins, and without names
    tokens: tuple[str, ...]
    #: of the syntax tree, without contexts
    nodes: int


@dataclass(frozen=True, slots=True)
class Function:
    """One function or method of a text."""

    #: with its classes and outer functions, by dots
    name: str
    #: from 1, decorators included
    first_line: int
    last_line: int
    #: None where it nests too deeply to say
    shape: Shape | None


def parsed(text: str) -> ast.Module | None:
    """The syntax tree; None when the text is no Python of this version."""
    try:
        # an invalid escape in somebody's string is no concern of ours
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, *_TOO_DEEP):
        return None


def functions_of(tree: ast.Module) -> list[Function]:
    """Every function, nested ones too, in the order of their lines."""
    found = [
        Function(name, first_line(node), node.end_lineno or node.lineno, _shape(node))
        for name, node in named(tree)
    ]
    return sorted(found, key=lambda function: (function.first_line, -function.last_line))


def named(tree: ast.Module) -> Iterator[tuple[str, _Definition]]:
    """Every function with its full name."""
    waiting: list[tuple[str, list[ast.AST]]] = [("", list(tree.body))]
    while waiting:
        prefix, nodes = waiting.pop()
        for node in nodes:
            inner = prefix
            if isinstance(node, _Definition | ast.ClassDef):
                inner = f"{prefix}{node.name}."
            if isinstance(node, _Definition):
                yield inner[:-1], node
            # expressions hold no statements
            blocks = (getattr(node, name, None) for name in _BLOCKS)
            waiting += [(inner, block) for block in blocks if block]


def first_line(node: ast.stmt) -> int:
    """Where a statement begins, its decorators included."""
    if not isinstance(node, _Definition | ast.ClassDef):
        return node.lineno
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _shape(node: _Definition) -> Shape | None:
    writer = _Writer(_bound(node))
    try:
        writer.write_all(node.body)
    except _TOO_DEEP:
        return None
    return Shape("".join(writer.parts), tuple(writer.tokens), writer.nodes)


def _bound(node: ast.AST) -> frozenset[str]:
    """The names a function gives a value to; a builtin among them is none any more."""
    names = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Name) and not isinstance(child.ctx, ast.Load):
            names.add(child.id)
        elif isinstance(child, ast.arg):
            names.add(child.arg)
    return frozenset(names)


def _is_silent(node: ast.AST) -> bool:
    """Whether a statement computes nothing: a string that stands alone, or an import."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


class _Writer:
    """Writes a syntax tree down with its names numbered."""

    def __init__(self, bound: frozenset[str]) -> None:
        self._bound = bound
        self._numbers: dict[str, int] = {}
        self.parts: list[str] = []
        self.tokens: list[str] = []
        self.nodes = 0

    def write_all(self, nodes: list[ast.stmt]) -> None:
        for node in nodes:
            if not _is_silent(node):
                self._node(node)

    def _node(self, node: ast.AST) -> None:
        if isinstance(node, ast.AnnAssign):
            # a declaration without a value computes nothing
            if node.value is None:
                return
            node = ast.Assign([node.target], node.value)
        self.nodes += 1
        self.parts.append(f"({type(node).__name__}")
        self.tokens.append(type(node).__name__)
        match node:
            case ast.Name():
                self._name(node.id)
            case ast.arg():
                self._name(node.arg)
            case ast.Constant():
                self._word(repr(node.value))
            case _:
                self._fields(node)
        self.parts.append(")")

    def _fields(self, node: ast.AST) -> None:
        for name, value in ast.iter_fields(node):
            if name in _SILENT or value is None:
                continue
            if isinstance(value, list):
                self._list(value)
            elif isinstance(value, ast.AST):
                self._node(value)
            elif name in ("attr", "arg") or not isinstance(value, str):
                # an attribute's or a keyword's name belongs to somebody else's interface
                self._word(str(value))
            else:
                self._name(value)

    def _list(self, values: list[object]) -> None:
        self.parts.append("[")
        for value in values:
            if isinstance(value, str):
                self._name(value)
            elif isinstance(value, ast.AST) and not _is_silent(value):
                self._node(value)
        self.parts.append("]")

    def _word(self, text: str) -> None:
        self.parts.append(f" {text}")
        self.tokens.append(text)

    def _name(self, name: str) -> None:
        if name in _BUILTINS and name not in self._bound:
            self._word(name)
        else:
            self.parts.append(f" _{self._numbers.setdefault(name, len(self._numbers))}")

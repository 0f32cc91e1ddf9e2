"""Instruction pairs from docstrings: what a function is for, and the function itself."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator

from crucible_tasks.corpus.corpus import Document, Pair
from crucible_tasks.corpus.functions import first_line, named, parsed
from crucible_tasks.corpus.languages import PYTHON

#: words; a docstring of fewer says too little to write the function from
_LEAST_WORDS = 5

#: lines of code besides the docstring: a property at least, and what one answer may hold at most
_LEAST_LINES = 2
_MOST_LINES = 80


def docstring_pairs(document: Document) -> Iterator[Pair]:
    """A pair for every documented function of a Python document, in the order of its lines."""
    tree = parsed(document.text) if document.language == PYTHON else None
    if tree is None:
        return
    lines = document.text.split("\n")
    for _, node in sorted(named(tree), key=lambda item: item[1].lineno):
        wish = ast.get_docstring(node)
        if wish is None or len(wish.split()) < _LEAST_WORDS:
            continue
        source = lines[first_line(node) - 1 : node.end_lineno]
        written = len(source) - len(wish.split("\n"))
        if _LEAST_LINES <= written <= _MOST_LINES:
            instruction = f"Write this function in Python.\n\n{_signature(node, lines)}\n\n{wish}"
            answer = textwrap.dedent("\n".join(source))
            yield Pair(document.path, instruction, answer, document.part)


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> str:
    """The definition's own lines up to the body, which begins with the docstring."""
    head = lines[node.lineno - 1 : max(node.lineno, node.body[0].lineno - 1)]
    return textwrap.dedent("\n".join(head)).strip()

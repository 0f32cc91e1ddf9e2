"""Right answers to a challenge, all texts different, made from its own solution.

Standard library only, because peers are measured in environments of their own.
"""

from __future__ import annotations

import ast
import gzip
import json
from pathlib import Path
from typing import Any


def read_rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def distinct_answers(row: dict[str, Any], first: int, n: int) -> list[str]:
    """Completions number `first` to `first + n` of a HumanEval or HumanEval+ row.

    In turn: a comment above the body, a local variable of another name, an assignment that does
    nothing. A real parser meets each of them anew; none costs more than a microsecond to run.
    """
    solution: str = row["canonical_solution"]
    spans = _local_spans(row["prompt"], solution, row["entry_point"])
    return [_variant(solution, spans, number) for number in range(first, first + n)]


def _variant(solution: str, spans: list[tuple[int, int, str]], number: int) -> str:
    kind = number % 3
    if kind == 1 and spans:
        return _renamed(solution, spans, number)
    body = solution.lstrip("\n")
    indent = body[: len(body) - len(body.lstrip())]
    extra = f"# attempt {number}" if kind == 0 else f"unused_{number} = None"
    return f"{indent}{extra}\n{body}"


def _renamed(solution: str, spans: list[tuple[int, int, str]], number: int) -> str:
    text = solution.encode()
    for start, end, name in sorted(spans, reverse=True):
        text = text[:start] + f"{name}_{number}".encode() + text[end:]
    return text.decode()


def _local_spans(prompt: str, solution: str, entry_point: str) -> list[tuple[int, int, str]]:
    """Where one local variable of the entry point stands in the solution, in bytes."""
    source = prompt + solution
    functions = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == entry_point
    ]
    names = _renamable(functions[-1])
    if not names:
        return []
    chosen = names[0]
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    before = len(prompt.encode())
    return [
        (at := starts[node.lineno - 1] + node.col_offset - before, at + len(chosen), chosen)
        for node in ast.walk(functions[-1])
        if isinstance(node, ast.Name) and node.id == chosen
    ]


def _renamable(function: ast.FunctionDef) -> list[str]:
    """Names that are only ever plain local variables, in a fixed order."""
    stored, taken = set(), set()
    for node in ast.walk(function):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                stored.add(name)
            case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.keyword(arg=str(name)):
                taken.add(name)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                taken.update(names)
            case ast.JoinedStr():
                # Python 3.11 does not know where in the source these stand
                taken.update(one.id for one in ast.walk(node) if isinstance(one, ast.Name))
    return sorted(name for name in stored - taken if name.isascii())

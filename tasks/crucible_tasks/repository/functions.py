"""Functions of a repository, found by their syntax alone, and what a model is told of each."""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from crucible_tasks.repository.snapshot import Snapshot

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef

#: lines of imports shown above a function; more would hide it
_MOST_IMPORT_LINES = 80


@dataclass(frozen=True, slots=True)
class Function:
    """A function at the top level of a module."""

    #: of its file, in the repository
    path: str
    name: str
    #: with its decorators, from 1
    first_line: int
    last_line: int
    #: the file's imports, the signature and the docstring
    prompt: str
    #: what follows the prompt in the file
    body: str
    #: how deep the body is indented
    indent: int

    @property
    def reference(self) -> str:
        """The original, as a whole program."""
        return self.prompt + self.body

    @property
    def empty(self) -> str:
        """A program that does nothing in its place."""
        return f"{self.prompt}{' ' * self.indent}pass\n"


@dataclass(frozen=True, slots=True)
class Unfit:
    """A function that cannot be asked for, and why."""

    path: str
    name: str
    reason: str


METHOD = "a method or an inner function: only functions at the top level of a module are asked for"
TWICE = "its name is bound more than once in its module"
TRIVIAL = "its body does nothing"
CROWDED = "it shares a line with something else"


def find_functions(snapshot: Snapshot) -> tuple[list[Function], list[Unfit]]:
    """Every function of the modules that are no tests, in the order of the files."""
    functions: list[Function] = []
    unfit: list[Unfit] = []
    for path in snapshot.modules():
        try:
            source = snapshot.files[path].decode("utf-8-sig")
            tree = ast.parse(source)
        except (UnicodeDecodeError, SyntaxError, ValueError, RecursionError, MemoryError):
            # which the tests cannot import either
            continue
        for found in _functions(path, source, tree):
            (functions if isinstance(found, Function) else unfit).append(found)  # type: ignore[arg-type]
    return functions, unfit


def _functions(path: str, source: str, tree: ast.Module) -> Iterator[Function | Unfit]:
    lines = source.splitlines(keepends=True)
    top = frozenset(tree.body)
    bound = Counter(name for node in ast.walk(tree) for name in _bound(node, is_top=node in top))
    for node in ast.walk(tree):
        if not isinstance(node, AnyFunction):
            continue
        if node not in top:
            yield Unfit(path, node.name, METHOD)
        elif bound[node.name] > 1:
            yield Unfit(path, node.name, TWICE)
        elif _does_nothing(node):
            yield Unfit(path, node.name, TRIVIAL)
        else:
            yield _function(path, lines, tree, node) or Unfit(path, node.name, CROWDED)


def _bound(node: ast.AST, *, is_top: bool) -> Iterator[str]:
    """Names that a statement binds for the whole module, as far as that is easily seen."""
    if isinstance(node, AnyFunction | ast.ClassDef):
        yield from (node.name,) if is_top else ()
    elif isinstance(node, ast.Assign) and is_top:
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.Global):
        yield from node.names


def _does_nothing(node: AnyFunction) -> bool:
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return all(
        isinstance(each, ast.Pass | ast.Raise)
        or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        for each in body
    )


def _function(path: str, lines: list[str], tree: ast.Module, node: AnyFunction) -> Function | None:
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    last = node.end_lineno or node.lineno
    place = tree.body.index(node)
    neighbours = (*tree.body[max(0, place - 1) : place], *tree.body[place + 1 : place + 2])
    if any(each.lineno <= last and (each.end_lineno or 0) >= first for each in neighbours):
        return None
    statements = node.body[1:] if ast.get_docstring(node) is not None else node.body
    start = statements[0]
    head_end = _head_end(lines, node)
    if head_end is None or start.lineno <= head_end:
        return None
    head = "".join(lines[first - 1 : head_end])
    body = "".join(lines[head_end:last])
    prompt = f"# {path}\n{_imports(lines, tree, first)}\n\n{head}"
    return Function(path, node.name, first, last, prompt, body, start.col_offset)


def _head_end(lines: list[str], node: AnyFunction) -> int | None:
    """The last line of the docstring, or of the signature where there is none."""
    if ast.get_docstring(node) is not None:
        return node.body[0].end_lineno
    text = "".join(lines[node.lineno - 1 : node.body[0].end_lineno])
    depth = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            depth += token.string in ("(", "[", "{")
            depth -= token.string in (")", "]", "}")
            if token.type == tokenize.OP and token.string == ":" and not depth:
                return node.lineno - 1 + token.end[0]
    except (tokenize.TokenError, IndentationError):
        pass
    return None


def _imports(lines: list[str], tree: ast.Module, before: int) -> str:
    """The module's own imports above the function, which any answer may use."""
    kept = [
        line
        for statement in tree.body
        if isinstance(statement, ast.Import | ast.ImportFrom) and statement.lineno < before
        for line in lines[statement.lineno - 1 : statement.end_lineno]
    ]
    return "".join(kept) if len(kept) <= _MOST_IMPORT_LINES else ""

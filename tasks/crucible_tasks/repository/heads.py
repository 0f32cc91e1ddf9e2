"""What a model is told of a function: imports, the heads of its classes, signature, docstring."""

from __future__ import annotations

import ast
import io
import textwrap
import tokenize
from collections.abc import Iterator, Sequence

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

#: lines of imports shown above a function; more would hide it
_MOST_IMPORT_LINES = 80
#: lines of a class' own values, and of how its instances are made, shown above a method
_MOST_CLASS_LINES = 40
_MAKER = "__init__"
_WIDTH = 99


def prompt_of(
    path: str,
    lines: Sequence[str],
    tree: ast.Module,
    classes: Sequence[ast.ClassDef],
    node: AnyFunction,
) -> tuple[str, int] | None:
    """All that, and its last line in the file; None when the body begins on that line."""
    statements = without_docstring(node)
    end = _head_end(lines, node)
    if end is None or statements[0].lineno <= end:
        return None
    heads = []
    for kind in classes:
        head = _class_head(lines, kind, is_owner=kind is classes[-1], asked=node)
        if head is None:
            return None
        heads.append(head)
    first = first_line(node)
    own = "".join(lines[first - 1 : end])
    imports = _imports(lines, tree, first_line(classes[0]) if classes else first)
    return f"# {path}\n{imports}\n\n{''.join(heads)}{own}", end


def first_line(node: Definition) -> int:
    """Of a definition, decorators included."""
    return min([node.lineno, *(each.lineno for each in node.decorator_list)])


def without_docstring(node: AnyFunction) -> list[ast.stmt]:
    """What a function does; empty when it only has words."""
    return node.body[1:] if ast.get_docstring(node) is not None else node.body


def _class_head(
    lines: Sequence[str], kind: ast.ClassDef, *, is_owner: bool, asked: AnyFunction
) -> str | None:
    """A class up to its docstring; of the method's own one also its values and its maker."""
    end = _head_end(lines, kind)
    if end is None or kind.body[0].lineno <= end < (kind.body[0].end_lineno or end):
        return None
    parts = ["".join(lines[first_line(kind) - 1 : end])]
    if is_owner:
        blanks = " " * kind.body[0].col_offset
        parts += filter(None, (_values(lines, kind), _others(kind, asked, blanks)))
        parts += [_maker(lines, kind)] if asked.name != _MAKER else []
    return "\n".join(part for part in parts if part) + "\n"


def _values(lines: Sequence[str], kind: ast.ClassDef) -> str:
    simple = [each for each in kind.body if isinstance(each, ast.Assign | ast.AnnAssign)]
    return _short("".join(_text(lines, each.lineno, each.end_lineno) for each in simple))


def _maker(lines: Sequence[str], kind: ast.ClassDef) -> str:
    makers = [n for n in kind.body if isinstance(n, AnyFunction) and n.name == _MAKER]
    return _short(_text(lines, first_line(makers[-1]), makers[-1].end_lineno)) if makers else ""


def _others(kind: ast.ClassDef, asked: AnyFunction, blanks: str) -> str:
    """The names of the other methods, which a body may use."""
    names = [each.name for each in kind.body if isinstance(each, AnyFunction)]
    others = [name for name in dict.fromkeys(names) if name not in (asked.name, _MAKER)]
    start = f"{blanks}# "
    told = textwrap.wrap(
        f"It has {', '.join(others)}.", _WIDTH, initial_indent=start, subsequent_indent=start
    )
    return _short("".join(f"{line}\n" for line in told)) if others else ""


def _short(text: str) -> str:
    return text if text.count("\n") <= _MOST_CLASS_LINES else ""


def _text(lines: Sequence[str], first: int, last: int | None) -> str:
    return "".join(lines[first - 1 : last])


def _head_end(lines: Sequence[str], node: Definition) -> int | None:
    """The last line of the docstring, or of the signature where there is none."""
    if ast.get_docstring(node) is not None:
        return node.body[0].end_lineno
    depth = 0
    for token in _tokens("".join(lines[node.lineno - 1 : node.body[0].end_lineno])):
        depth += token.string in ("(", "[", "{")
        depth -= token.string in (")", "]", "}")
        if token.type == tokenize.OP and token.string == ":" and not depth:
            return node.lineno - 1 + token.end[0]
    return None


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    """Those up to where the text is no Python, as a definition without what follows it is."""
    try:
        yield from tokenize.generate_tokens(io.StringIO(text).readline)
    except (tokenize.TokenError, IndentationError):
        return


def _imports(lines: Sequence[str], tree: ast.Module, before: int) -> str:
    """The module's own imports above the function, which any answer may use."""
    kept = [
        line
        for statement in tree.body
        if isinstance(statement, ast.Import | ast.ImportFrom) and statement.lineno < before
        for line in lines[statement.lineno - 1 : statement.end_lineno]
    ]
    return "".join(kept) if len(kept) <= _MOST_IMPORT_LINES else ""

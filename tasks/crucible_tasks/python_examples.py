"""Examples of Python functions in a prompt's lines."""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Iterator, Sequence

from crucible_tasks.example_lines import Check, Said, bare, said_in
from crucible_tasks.extraction.parsing import Parser

FIRST_LINES: tuple[str, ...] = ()

#: lines that one assertion or one result may take
_MOST_LINES_OF_ONE = 20
#: digits beyond which two floats that a text calls equal may differ
_TOLERANCE = "1e-9"

_BUILTINS = frozenset(vars(builtins))
_NAME = re.compile(r"[^\W\d]\w*")
_PROMPT = re.compile(r"^(\s*(?:[#*|]\s*)?)>>> ?(.*)$")
_PROSE = re.compile(r"[A-Za-z]+,? [A-Za-z]+\b")
_TRACEBACK = "Traceback (most recent call last):"
_DIRECTIVE = "# doctest:"
_TEXT_ENDS = ('"""', "'''", "```", "~~~")


def checks(lines: Sequence[str], only: str | None) -> Iterator[Check]:
    """Every example, in the order of the text; with `only`, those that call nothing else."""
    return _Reader(lines, only).read()


class _Reader:
    """Reads from the first line to the last; what is bound on the way is known below."""

    def __init__(self, lines: Sequence[str], only: str | None) -> None:
        self._lines = lines
        self._only = only
        self._parser = Parser()
        self._bound: set[str] = set()

    def read(self) -> Iterator[Check]:
        """One check after the other."""
        place = 0
        while place < len(self._lines):
            prompt = _PROMPT.match(self._lines[place])
            if prompt:
                place, found = self._doctest(place, prompt)
            elif bare(self._lines[place]).startswith("assert "):
                place, found = self._assertion(place)
            else:
                found = [
                    check for said in said_in(self._lines[place]) for check in self._said(said)
                ]
                place += 1
            yield from found

    def _doctest(self, place: int, prompt: re.Match[str]) -> tuple[int, list[Check]]:
        code = [prompt[2]]
        place += 1
        while place < len(self._lines) and _after(self._lines[place], prompt[1]).startswith("..."):
            code.append(_after(self._lines[place], prompt[1])[3:].removeprefix(" "))
            place += 1
        wanted: list[str] = []
        while place < len(self._lines) and not _PROMPT.match(self._lines[place]):
            line = _after(self._lines[place], prompt[1]).rstrip()
            if not line or line.strip().startswith(_TEXT_ENDS):
                break
            wanted.append(line)
            place += 1
        source = "\n".join(code)
        check = self._example(source, wanted)
        if check is None:
            # it may have changed what it names
            self._bound -= set(_NAME.findall(source))
        return place, [check] if check else []

    def _example(self, code: str, wanted: list[str]) -> Check | None:
        tree = self._parser.parse(code).tree
        if tree is None or not tree.body or _DIRECTIVE in code:
            return None
        last = tree.body[-1]
        if not wanted:
            return self._preparation(tree)
        if not isinstance(last, ast.Expr) or len(tree.body) > 1:
            return None
        called = self._called(last.value)
        if called is None:
            return None
        return _compared(last.value, wanted, called)

    def _preparation(self, tree: ast.Module) -> Check | None:
        """Statements without an output: they bind what later examples use, or change it."""
        kept: list[str] = []
        called: list[str] = []
        for statement in tree.body:
            if isinstance(statement, ast.ImportFrom | ast.Import) and not _is_standard(statement):
                # the names of an answer are there without
                continue
            needed = self._called(statement)
            if needed is None:
                return None
            called += needed
            kept.append(ast.unparse(statement))
            self._bound |= _bound_by(statement)
        return Check("\n".join(kept), tuple(called)) if kept else None

    def _assertion(self, place: int) -> tuple[int, list[Check]]:
        text = bare(self._lines[place])
        for end in range(place + 1, place + 1 + _MOST_LINES_OF_ONE):
            tree = self._parser.parse(text).tree
            if tree is not None:
                called = self._called(tree)
                is_one = len(tree.body) == 1 and isinstance(tree.body[0], ast.Assert)
                if called and is_one:
                    source = ast.unparse(tree)
                    return end, [Check(source, called, source)]
                return end, []
            if end >= len(self._lines):
                break
            text += f"\n{self._lines[end]}"
        return place + 1, []

    def _said(self, said: Said) -> Iterator[Check]:
        call = self._expression(said.call)
        called = self._called(call) if call is not None else None
        if call is None or not called or said.name not in called:
            return
        if said.raised is not None:
            if _is_exception(said.raised):
                yield _raising(call, said.raised, called)
            return
        value = self._expression(said.result or "")
        if value is not None and _is_literal(value):
            yield _equal(call, value, called)

    def _expression(self, text: str) -> ast.expr | None:
        tree = self._parser.parse(text.strip()).tree
        if tree is None or len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
            return None
        return tree.body[0].value

    def _called(self, tree: ast.AST) -> tuple[str, ...] | None:
        """The program's names that are called; None where others are used that nobody defines."""
        nodes = list(ast.walk(tree))
        own = {node.id for node in nodes if isinstance(node, ast.Name) and _is_stored(node)}
        own |= {node.arg for node in nodes if isinstance(node, ast.arg)}
        known = (own | self._bound | _BUILTINS | sys.stdlib_module_names) - {self._only}
        called = dict.fromkeys(
            node.func.id
            for node in nodes
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id not in known
        )
        used = {node.id for node in nodes if isinstance(node, ast.Name)}
        if self._only is not None and not called.keys() <= {self._only}:
            return None
        return tuple(called) if used <= known | called.keys() else None


def _compared(expression: ast.expr, wanted: list[str], called: tuple[str, ...]) -> Check | None:
    """What a doctest's output says of its expression."""
    if wanted[0].strip() == _TRACEBACK:
        name = wanted[-1].strip().partition(":")[0]
        return _raising(expression, name, called) if _is_exception(name) else None
    printed = _printed(expression)
    if printed is not None:
        text = "\n".join(wanted)
        source = f"assert str({ast.unparse(printed)}) == {text!r}"
        return Check(source, called, source)
    for count in range(min(len(wanted), _MOST_LINES_OF_ONE), 0, -1):
        # prose may follow without an empty line; what else follows was printed
        if count < len(wanted) and not _PROSE.match(wanted[count].strip()):
            continue
        text = "\n".join(wanted[:count]).strip()
        value = _value(text)
        if value is None:
            continue
        if _is_literal(value):
            return _equal(expression, value, called)
        if _is_object(value):
            source = f"assert repr({ast.unparse(expression)}) == {text!r}"
            return Check(source, called, source)
    return None


def _value(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _equal(call: ast.expr, value: ast.expr, called: tuple[str, ...]) -> Check:
    got, wanted = ast.unparse(call), ast.unparse(value)
    constant = value.operand if isinstance(value, ast.UnaryOp) else value
    if isinstance(constant, ast.Constant) and isinstance(constant.value, bool | None):
        # a 1 would equal True
        source = f"assert {got} is {wanted}"
    elif isinstance(constant, ast.Constant) and isinstance(constant.value, float):
        source = f"assert math.isclose({got}, {wanted}, abs_tol={_TOLERANCE})"
    else:
        source = f"assert {got} == {wanted}"
    return Check(source, called, source)


def _raising(call: ast.expr, name: str, called: tuple[str, ...]) -> Check:
    got = ast.unparse(call)
    source = (
        f"try:\n    {got}\nexcept {name}:\n    pass\n"
        f"else:\n    raise AssertionError({f'{got} raises no {name}'!r})"
    )
    return Check(source, called, f"{got} raises {name}")


def _printed(expression: ast.expr) -> ast.expr | None:
    match expression:
        case ast.Call(func=ast.Name(id="print"), args=[ast.expr() as printed], keywords=[]):
            return None if isinstance(printed, ast.Starred) else printed
    return None


def _is_literal(expression: ast.expr) -> bool:
    try:
        ast.literal_eval(expression)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return not _leaves_out(expression)


def _is_object(expression: ast.expr) -> bool:
    """Whether it is how objects show themselves, like `Point(x=1)`, and no words."""
    has_call = any(isinstance(node, ast.Call) for node in ast.walk(expression))
    return has_call and not _leaves_out(expression)


def _leaves_out(expression: ast.expr) -> bool:
    """Whether it has the `...` of `[1, 2, ..., 9]`."""
    nodes = ast.walk(expression)
    return any(isinstance(node, ast.Constant) and node.value is ... for node in nodes)


def _is_exception(name: str) -> bool:
    kind = vars(builtins).get(name)
    return isinstance(kind, type) and issubclass(kind, Exception)


def _is_standard(statement: ast.ImportFrom | ast.Import) -> bool:
    if isinstance(statement, ast.ImportFrom):
        return (statement.module or "").partition(".")[0] in sys.stdlib_module_names
    return all(alias.name.partition(".")[0] in sys.stdlib_module_names for alias in statement.names)


def _bound_by(statement: ast.stmt) -> set[str]:
    names = {
        node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and _is_stored(node)
    }
    if isinstance(statement, ast.Import | ast.ImportFrom):
        names |= {alias.asname or alias.name.partition(".")[0] for alias in statement.names}
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        names.add(statement.name)
    return names


def _is_stored(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _after(line: str, indent: str) -> str:
    return line.removeprefix(indent) if line.startswith(indent) else line.strip()

"""Functions and methods of a repository, found by their syntax alone."""

from __future__ import annotations

import ast
import io
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crucible_tasks.repository.heads import AnyFunction, first_line, prompt_of, without_docstring
from crucible_tasks.repository.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Function:
    """A function at the top level of a module, or of a class there."""

    #: of its file, in the repository
    path: str
    name: str
    #: with its decorators, from 1
    first_line: int
    last_line: int
    #: the file's imports, the heads of its classes, the signature and the docstring
    prompt: str
    #: what follows the prompt in the file
    body: str
    #: what stands before each line of the body
    margin: str
    #: the classes it is a method of, outermost first
    classes: tuple[str, ...] = ()

    @property
    def qualified_name(self) -> str:
        """With its classes, as Python spells it."""
        return ".".join((*self.classes, self.name))

    @property
    def reference(self) -> str:
        """The original, as a whole program."""
        return self.prompt + self.body

    @property
    def empty(self) -> str:
        """A program that does nothing in its place."""
        return f"{self.prompt}{self.margin}pass\n"

    def find(self, tree: ast.Module) -> AnyFunction:
        """Its definition in the tree of a program that was made from its prompt."""
        body: Sequence[ast.stmt] = tree.body
        for kind in self.classes:
            body = next(n for n in body if isinstance(n, ast.ClassDef) and n.name == kind).body
        return next(n for n in body if isinstance(n, AnyFunction) and n.name == self.name)


@dataclass(frozen=True, slots=True)
class Unfit:
    """A function that cannot be asked for, and why."""

    path: str
    name: str
    reason: str


INNER = "it lies in a function or under a condition, not at the top level of a module or class"
TWICE = "its name is bound more than once in its module or class"
TRIVIAL = "its body does nothing, or it is a special method of one statement"
CROWDED = "it shares a line with something else"
INTIMATE = "Python itself calls it to make or read any object of its class"

#: replacing these would change how an object crosses to the program and back
_INTIMATE = frozenset(
    "__new__ __del__ __getattr__ __getattribute__ __setattr__ __delattr__ __init_subclass__ "
    "__class_getitem__ __set_name__ __reduce__ __reduce_ex__ __getstate__ __setstate__".split()
)


@dataclass(frozen=True, slots=True)
class _Scope:
    """A module or a class, whose functions can be replaced."""

    body: list[ast.stmt]
    #: from the outermost on; empty for a module
    classes: tuple[ast.ClassDef, ...]
    #: how often each name is bound in it
    bound: Counter[str]


def find_functions(snapshot: Snapshot) -> tuple[list[Function], list[Unfit]]:
    """Every function of the modules that are no tests, in the order of the files."""
    functions: list[Function] = []
    unfit: list[Unfit] = []
    for path in snapshot.modules():
        try:
            source = _text(snapshot.files[path])
            tree = parsed(source)
        except (UnicodeDecodeError, SyntaxError, ValueError, RecursionError, MemoryError):
            # which the tests cannot import either
            continue
        for found in _functions(path, source, tree):
            (functions if isinstance(found, Function) else unfit).append(found)  # type: ignore[arg-type]
    return functions, unfit


def parsed(source: str) -> ast.Module:
    """A module's tree; raises what `ast.parse` raises, and warns of nothing."""
    with warnings.catch_warnings():
        # somebody else's source, whose escapes are their business
        warnings.simplefilter("ignore")
        return ast.parse(source)


def _text(content: bytes) -> str:
    """A file as the parser counts its lines."""
    return io.TextIOWrapper(io.BytesIO(content), "utf-8-sig").read()


def _functions(path: str, source: str, tree: ast.Module) -> Iterator[Function | Unfit]:
    # not splitlines, which also splits at form feeds
    lines = io.StringIO(source).readlines()
    placed = set()
    for scope in _scopes(tree):
        for node in filter(_is_function, scope.body):
            assert isinstance(node, AnyFunction)
            placed.add(node)
            if not _is_overload(node):
                yield _in_scope(path, lines, tree, scope, node)
    for inner in ast.walk(tree):
        if isinstance(inner, AnyFunction) and inner not in placed:
            yield Unfit(path, inner.name, INNER)


def _scopes(tree: ast.Module) -> Iterator[_Scope]:
    """The module and every class whose name leads to it."""
    names = Counter(name for node in tree.body for name in _bound(node))
    names.update(n for node in ast.walk(tree) if isinstance(node, ast.Global) for n in node.names)
    waiting = [_Scope(tree.body, (), names)]
    for scope in waiting:
        yield scope
        waiting += [
            _Scope(node.body, (*scope.classes, node), Counter(_names(node.body)))
            for node in scope.body
            if isinstance(node, ast.ClassDef) and scope.bound[node.name] == 1
        ]


def _names(body: list[ast.stmt]) -> Iterator[str]:
    return (name for node in body for name in _bound(node))


def _bound(node: ast.stmt) -> Iterator[str]:
    """Names that a statement binds in its scope, as far as that is easily seen."""
    if isinstance(node, AnyFunction):
        # a property's setter and an overload's signature belong to the one that does the work
        yield from () if _is_overload(node) or _is_accessor(node) else (node.name,)
    elif isinstance(node, ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _in_scope(
    path: str, lines: list[str], tree: ast.Module, scope: _Scope, node: AnyFunction
) -> Function | Unfit:
    name = ".".join((*(each.name for each in scope.classes), node.name))
    if scope.classes and node.name in _INTIMATE:
        return Unfit(path, name, INTIMATE)
    if scope.bound[node.name] > 1 or _is_accessor(node):
        return Unfit(path, name, TWICE)
    if _does_nothing(node):
        return Unfit(path, name, TRIVIAL)
    return _function(path, lines, tree, scope, node) or Unfit(path, name, CROWDED)


def _is_function(node: ast.stmt) -> bool:
    return isinstance(node, AnyFunction)


def _is_overload(node: AnyFunction) -> bool:
    return any(_last(each) == "overload" for each in node.decorator_list)


def _is_accessor(node: AnyFunction) -> bool:
    """Whether it is `@name.setter`, which comes after a function of the same name."""
    kinds = ("setter", "getter", "deleter")
    return any(isinstance(d, ast.Attribute) and d.attr in kinds for d in node.decorator_list)


def _last(decorator: ast.expr) -> str:
    return ast.unparse(decorator).rpartition(".")[2]


def _does_nothing(node: AnyFunction) -> bool:
    body = without_docstring(node)
    is_special = node.name.startswith("__") and node.name.endswith("__")
    if is_special and len(body) == 1 and not hasattr(body[0], "body"):
        return True
    return all(
        isinstance(each, ast.Pass | ast.Raise)
        or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        for each in body
    )


def _function(
    path: str, lines: list[str], tree: ast.Module, scope: _Scope, node: AnyFunction
) -> Function | None:
    first, last = first_line(node), node.end_lineno or node.lineno
    place = scope.body.index(node)
    neighbours = (*scope.body[max(0, place - 1) : place], *scope.body[place + 1 : place + 2])
    if any(each.lineno <= last and (each.end_lineno or 0) >= first for each in neighbours):
        return None
    told = prompt_of(path, lines, tree, scope.classes, node)
    if told is None:
        return None
    prompt, head_end = told
    body = "".join(lines[head_end:last])
    start = without_docstring(node)[0]
    margin = lines[start.lineno - 1][: start.col_offset]
    classes = tuple(each.name for each in scope.classes)
    return Function(path, node.name, first, last, prompt, body, margin, classes)

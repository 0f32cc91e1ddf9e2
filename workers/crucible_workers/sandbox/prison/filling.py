"""Fills the hole that a function has left in its module, with what a program has in its place.

A function's program runs in the module's own names. Of a method's program the class gives its
functions only: the one asked for and those that the repository's class lacks. They are compiled in
a class of that name, which reads what the real one has bound so far, and move over when they are
made; `super()` is told the real class as soon as there is one.
"""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

from .places import binding_of, bound, look_up, mangled

#: the metaclass that reads the real class, among a module's names while a program is run
_MAKER = "__crucible_maker__"
_ANY_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


class Place(NamedTuple):
    """Where the hole is."""

    #: the function's name in its module
    path: str
    #: how a method is bound
    binding: str
    #: of the compiler, for what the module imports from `__future__`
    flags: int


class Filling:
    """A program that defines one function of a module."""

    def __init__(self, source: str, name: str, place: Place) -> None:
        """Compile it; raises what `compile` raises."""
        *self._classes, self._function = place.path.split(".")
        self._binding = place.binding
        self._made: dict[str, Any] = {}
        tree = ast.parse(source)
        self._names = self._narrow(tree) if self._classes else []
        self._code = compile(tree, name, "exec", place.flags, dont_inherit=True)

    def fill(self, names: dict[str, Any], scope: dict[str, Any]) -> None:
        """Run the program in a module's names; what is a method goes into the scope of its hole."""
        if not self._classes:
            exec(self._code, names)
            return
        shadowed = {key: names[key] for key in (self._classes[-1],) if key in names}
        names[_MAKER] = _maker(scope, self._made)
        exec(self._code, names)
        for key in (_MAKER, self._classes[-1]):
            names.pop(key, None)
        names.update(shadowed)
        asked = mangled(self._function, self._classes)
        for key in self._names:
            if key in self._made and (key == asked or key not in scope):
                scope[key] = self._made[key]
        if asked in scope and not binding_of(scope[asked]):
            scope[asked] = bound(scope[asked], self._binding)

    def finish(self, module: types.ModuleType) -> None:
        """Tell `super()` in the program's methods which class they are in."""
        cell = self._made.get("__classcell__")
        if cell is not None:
            cell.cell_contents = look_up(module, ".".join(self._classes))

    def _narrow(self, tree: ast.Module) -> list[str]:
        """Leave of the program's class its functions, at the top level; their names."""
        found = _class_with(tree, self._classes, self._function)
        if found is None:
            found = ast.ClassDef(self._classes[-1], [], [], [], [])
            asked = [node for node in tree.body if _is_named(node, self._function)]
            tree.body = [node for node in tree.body if node not in asked]
            found.body = asked
        else:
            found.body = [node for node in found.body if isinstance(node, _ANY_FUNCTION)]
        outermost = self._classes[0]
        tree.body = [node for node in tree.body if not _is_class(node, outermost)]
        if not found.body:
            return []
        found.bases, found.decorator_list = [], []
        found.keywords = [ast.keyword("metaclass", ast.Name(_MAKER, ast.Load()))]
        tree.body.append(found)
        ast.fix_missing_locations(tree)
        functions = [node.name for node in found.body if isinstance(node, _ANY_FUNCTION)]
        return [mangled(name, self._classes) for name in dict.fromkeys(functions)]


class _Scope(dict[str, Any]):
    """The names of a class that is being made, with those of another one behind them."""

    def __init__(self, behind: Mapping[str, Any]) -> None:
        super().__init__()
        self._behind = behind

    def __missing__(self, name: str) -> Any:
        return self._behind[name]


def _maker(behind: Mapping[str, Any], made: dict[str, Any]) -> type:
    """A metaclass whose class reads what is behind it and tells what was made."""

    class Maker(type):
        @classmethod
        def __prepare__(cls, name: str, bases: tuple[type, ...], /) -> _Scope:  # type: ignore[override]
            del cls, name, bases
            return _Scope(behind)

        def __new__(cls, name: str, bases: tuple[type, ...], scope: dict[str, Any]) -> type:
            made.update(scope)
            own = {key: scope[key] for key in ("__classcell__",) if key in scope}
            return super().__new__(cls, name, bases, own)

    return Maker


def calling_scope() -> dict[str, Any]:
    """The names where the caller was called from: of a class, while its body runs."""
    return sys._getframe(2).f_locals


def _class_with(tree: ast.Module, classes: list[str], function: str) -> ast.ClassDef | None:
    """The last class of that path in a program which has the function."""
    found = [node for node in tree.body if _is_class(node, classes[0])]
    for name in classes[1:]:
        found = [inner for outer in found for inner in outer.body if _is_class(inner, name)]
    having = [each for each in found if any(_is_named(node, function) for node in each.body)]
    return having[-1] if having else None


def _is_class(node: ast.stmt, name: str) -> TypeGuard[ast.ClassDef]:
    return isinstance(node, ast.ClassDef) and node.name == name


def _is_named(node: ast.stmt, name: str) -> bool:
    return isinstance(node, _ANY_FUNCTION) and node.name == name

"""Objects of a repository that both sides of a channel have: they cross by name, not by value.

Classes, functions, enum members and sentinels. Each side finds its own by the name, so an instance
that a program returns gets the class that the tests know, whatever the program did to its own.
"""

from __future__ import annotations

import enum
import sys
import types
from collections.abc import Collection
from functools import cached_property
from typing import Any

from .encodings import ValueRefused, state_of
from .mixtures import base_of

#: where Python itself keeps what programs pass around; only ever named to a program, never by one
_STANDARD = sys.stdlib_module_names


class Namings:
    """Names of what lies in the modules of one repository."""

    def __init__(self, modules: Collection[str], *, knows_standard: bool) -> None:
        self._modules = modules
        #: whether names of the standard library are understood, too
        self._knows_standard = knows_standard

    def class_name(self, kind: type) -> str | None:
        """Name of a class whose instances cross by their attributes."""
        if issubclass(kind, (BaseException, enum.Enum)) or kind in self._kinds_of_sentinels:
            return None
        return self.name_of(kind) if _is_made_of_attributes(kind) else None

    def known_class(self, name: str) -> type:
        """Our class of that name. Raises ValueRefused."""
        kind = self.find(name)
        if not isinstance(kind, type):
            raise ValueRefused(name)
        return kind

    def name_of(self, value: Any, *, is_standard_named: bool = False) -> str | None:
        """How the other side finds the same class or function."""
        owner = getattr(value, "__objclass__", None)
        module = getattr(value if owner is None else owner, "__module__", None)
        path = getattr(value, "__qualname__", None)
        if type(module) is not str or type(path) is not str:
            return None
        is_standard = module.partition(".")[0] in _STANDARD
        if module not in self._modules and not (is_standard and is_standard_named):
            return None
        return f"{module}:{path}" if _look_up(module, path) is value else None

    def export(self, value: object, *, is_standard_named: bool = False) -> dict[str, Any] | None:
        """A class, function, enum member or sentinel by its name; None for anything else."""
        if isinstance(value, enum.Enum):
            kind = self.name_of(type(value))
            return None if kind is None else {"member": [kind, value.name]}
        if isinstance(value, type) or callable(value):
            name = self.name_of(value, is_standard_named=is_standard_named)
            return None if name is None else {"global": name}
        name = self._sentinels.get(id(value))
        return None if name is None else {"global": name}

    def resolve(self, tag: str, body: Any) -> object:
        """What `export` named. Raises ValueRefused."""
        if tag == "global" and isinstance(body, str):
            return self.find(body)
        if tag == "member":
            kind, name = body
            members = getattr(self.known_class(kind), "__members__", {})
            if name in members:
                return members[name]
        raise ValueRefused(tag)

    def find(self, name: str) -> object:
        """Our object of that name. Raises ValueRefused."""
        module, _, path = name.partition(":")
        is_standard = self._knows_standard and module.partition(".")[0] in _STANDARD
        if module not in self._modules and not is_standard:
            raise ValueRefused(name)
        if self._knows_standard and module not in sys.modules:
            __import__(module)
        found = _look_up(module, path)
        # what a module has imported from elsewhere is none of its own
        is_code = isinstance(found, (type, types.FunctionType)) and found.__module__ == module
        if not (is_code or self._knows_standard or self._is_sentinel(found)):
            raise ValueRefused(name)
        return found

    @cached_property
    def _sentinels(self) -> dict[int, str]:
        """Objects that are nothing but themselves, such as `EMPTY = object()`."""
        loaded = [(name, sys.modules[name]) for name in self._modules if name in sys.modules]
        return {
            id(value): f"{name}:{path}"
            for name, module in loaded
            for path, value in vars(module).items()
            if self._is_sentinel(value)
        }

    @cached_property
    def _kinds_of_sentinels(self) -> frozenset[type]:
        return frozenset(type(self.find(name)) for name in self._sentinels.values())

    def _is_sentinel(self, value: object) -> bool:
        kind = type(value)
        # one that equals others as it likes would be a joker in a program's hand
        is_itself = kind.__eq__ is object.__eq__
        is_plain = kind is object or (kind.__module__ in self._modules and not state_of(value))
        return is_itself and is_plain and not isinstance(value, (enum.Enum, BaseException))


def _is_made_of_attributes(kind: type) -> bool:
    """Whether nothing of its instances lies where only C finds it, but what containers hold."""
    if issubclass(kind, tuple):
        return True
    try:
        (base_of(kind) or object).__new__(kind)
    except TypeError:
        return False
    return True


def _look_up(module: str, path: str) -> object:
    found: object = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found

"""The untrusted side of a repository's challenge: the program in the place of a function.

The repository's modules come with the order, as code, and the one with the function has a hole
where it was; so nothing in this process, on disk or in memory, knows the original or a test.
"""

from __future__ import annotations
import __future__

import functools
import importlib
import marshal
import operator
import sys
import types
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from typing import Any

from .candidate import MODULE_NAME, Candidate, describe
from .filling import Filling, Place, calling_scope
from .frames import FrameReader
from .namings import Namings
from .places import function_of, look_up

#: what stands in the hole of a module's code
HOLE = "__crucible_program__"

#: name, path, whether it is a package, and its marshalled code or its source
Shipped = dict[str, tuple[str, bool, bytes | str]]

#: what a module imports from `__future__`, among the flags of its code
_FUTURE = functools.reduce(
    operator.or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
)


class Placed(Candidate):
    """A program that defines one function of a repository."""

    def __init__(self, channel: int, reader: FrameReader, order: dict[str, Any]) -> None:
        super().__init__(channel, reader, frozenset())
        self._order = order
        shipped: Shipped = order["modules"]
        self._namings = Namings(shipped, knows_standard=True)

    def compiled(self) -> Filling:
        """The program; raises what `compile` raises."""
        order = self._order
        _, _, code = order["modules"][order["module"]]
        flags = marshal.loads(code).co_flags & _FUTURE
        place = Place(order["names"][0], order["binding"], flags)
        return Filling(order["source"], f"<{MODULE_NAME}>", place)

    def place(self, filling: Filling) -> bool:
        """Import the module, which runs the program in its place; whether it can be called."""
        target = self._order["module"]
        sys.meta_path.insert(0, _Finder(self._order["modules"], target, filling))
        sys.path[:0] = self._order["roots"]
        try:
            self.module = importlib.import_module(target)
            filling.finish(self.module)
        except Exception as error:
            self._send(["raise", self._exception(error), []])
        except BaseException as error:
            self._send(["exit", describe(error)])
        else:
            return True
        return False

    def announce(self, names: list[str]) -> None:
        """Tell the driver what the program made of the function's name: a handle, never a name."""
        found = {name: function_of(look_up(self.module, name)) for name in names}
        known = {
            name: super(Placed, self).export(value)
            for name, value in found.items()
            if value is not None
        }
        self._send(["ready", known])

    def export(self, value: object) -> dict[str, Any]:
        """Name what both sides have, number anything else; implements Peer."""
        return self._namings.export(value) or super().export(value)

    def resolve(self, tag: str, body: Any) -> object:
        """Our own object back, ours of that name, or a stand-in; implements Peer."""
        if tag in ("global", "member"):
            return self._namings.resolve(tag, body)
        return super().resolve(tag, body)

    def class_name(self, kind: type) -> str | None:
        """A class of the repository; implements Peer."""
        return self._namings.class_name(kind)

    def known_class(self, name: str) -> type:
        """This process' class of that name; implements Peer."""
        return self._namings.known_class(name)

    def _exception(self, error: BaseException) -> list[Any]:
        name, *rest = super()._exception(error)
        return [self._namings.name_of(type(error)) or name, *rest]


class _Finder:
    """Finds the modules that came with the order."""

    def __init__(self, modules: Shipped, target: str, program: Filling) -> None:
        self._modules = modules
        self._target = target
        self._program = program

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Implements the finder of `sys.meta_path`."""
        del path, target
        if name not in self._modules:
            return None
        file, is_package, code = self._modules[name]
        program = self._program if name == self._target else None
        folders = [file.rpartition("/")[0]] if is_package else None
        loader = _Loader(name, file, code, program)
        return spec_from_file_location(
            name, file, loader=loader, submodule_search_locations=folders
        )


class _Loader(SourceFileLoader):
    """Loads code that never was a file here; data files beside it may be there."""

    def __init__(self, name: str, path: str, code: bytes | str, program: Filling | None) -> None:
        super().__init__(name, path)
        self._code = code
        self._program = program

    def get_code(self, fullname: str) -> types.CodeType:
        """The code that came with the order."""
        del fullname
        if isinstance(self._code, bytes):
            code: types.CodeType = marshal.loads(self._code)
            return code
        return compile(self._code, self.path, "exec", dont_inherit=True)

    def exec_module(self, module: types.ModuleType) -> None:
        """Run the module; where the function was, run the program in the module's own names."""
        program, names = self._program, vars(module)
        if program is not None:

            def fill() -> None:
                del names[HOLE]
                program.fill(names, calling_scope())

            names[HOLE] = fill
        super().exec_module(module)

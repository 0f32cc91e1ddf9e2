"""What both sides of a repository's challenge have crosses by name, and nothing else does."""

from __future__ import annotations

import enum
import os
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

from crucible_workers.sandbox.prison.encodings import ValueRefused
from crucible_workers.sandbox.prison.namings import Namings

NAME = "a_module_of_a_repository"
SOURCE = """
import os
from os import path
from collections import OrderedDict

class Point:
    class Inner: pass
class Colour(__import__("enum").Enum):
    RED = 1
class Problem(Exception): pass
class Nothing: pass
class Joker:
    def __eq__(self, other): return True
def function(): pass
NOTHING, OBJECT, JOKER = Nothing(), object(), Joker()
MARKED = Point()
MARKED.x = 1
"""


@pytest.fixture
def module() -> Iterator[Any]:
    made = types.ModuleType(NAME)
    exec(SOURCE, vars(made))
    sys.modules[NAME] = made
    yield made
    del sys.modules[NAME]


def _trusted() -> Namings:
    return Namings({NAME}, knows_standard=False)


def test_classes_functions_members_and_sentinels_come_back_as_themselves(module: Any) -> None:
    ours = _trusted()
    for value in (
        module.Point,
        module.Point.Inner,
        module.function,
        module.Colour.RED,
        module.NOTHING,
        module.OBJECT,
    ):
        named = ours.export(value)
        assert named is not None
        ((tag, body),) = named.items()
        assert ours.resolve(tag, body) is value


def test_instances_have_a_class_name_unless_something_else_stands_for_them(module: Any) -> None:
    ours = _trusted()

    assert ours.class_name(module.Point) == f"{NAME}:Point"
    assert ours.known_class(f"{NAME}:Point") is module.Point
    for kind in (module.Colour, module.Problem, module.Nothing, dict, enum.Enum):
        assert ours.class_name(kind) is None


@pytest.mark.parametrize(
    "path", ["JOKER", "MARKED", "os", "os.system", "path.join", "OrderedDict", "missing", ""]
)
def test_a_program_cannot_name_what_a_module_only_imports_or_a_joker(
    module: Any, path: str
) -> None:
    del module
    with pytest.raises(ValueRefused):
        _trusted().resolve("global", f"{NAME}:{path}")


@pytest.mark.parametrize("name", ["os:system", "unittest.mock:ANY", "builtins:exec", "", ":", NAME])
def test_a_program_cannot_name_anything_outside_of_the_repository(name: str) -> None:
    with pytest.raises(ValueRefused):
        _trusted().resolve("global", name)


def test_a_program_is_told_the_standard_library_by_name(module: Any) -> None:
    del module
    theirs = Namings({NAME}, knows_standard=True)

    assert _trusted().export(os.getcwd) is None
    for value in (os.path.join, str.upper, dict.fromkeys, types.ModuleType):
        named = _trusted().export(value, is_standard_named=True)
        if named is not None:
            assert theirs.resolve("global", named["global"]) is value
    assert _trusted().export(str.upper, is_standard_named=True) == {"global": "builtins:str.upper"}

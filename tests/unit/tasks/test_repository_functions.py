"""Functions are found by their syntax, and a model is told what the file says before the body."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest

from crucible_tasks.repository.functions import (
    CROWDED,
    INNER,
    INTIMATE,
    TRIVIAL,
    TWICE,
    Function,
    Unfit,
    find_functions,
)
from crucible_tasks.repository.mutation import mutants
from crucible_tasks.repository.snapshot import Snapshot

SHOWN = '''
from __future__ import annotations
import math
from os import (
    path,
)

CONSTANT = 1


@cached
def area(
    radius: float = {"a:": 1}["a:"],
) -> dict[str, float]:
    """The area: of a circle.

    More.
    """
    # its body's own remark
    if radius < 0:
        raise ValueError(radius)
    return {"area": math.pi * radius**2}


import late


def bare(left, right): # a remark
    return left + right
'''


def _found(source: str, path: str = "pkg/shapes.py") -> tuple[list[Function], list[Unfit]]:
    return find_functions(Snapshot({path: dedent(source).encode()}))


def test_a_prompt_has_imports_signature_and_docstring_and_nothing_of_the_body() -> None:
    (area, bare), unfit = _found(SHOWN)

    assert unfit == []
    assert area.prompt == (
        "# pkg/shapes.py\nfrom __future__ import annotations\nimport math\n"
        "from os import (\n    path,\n)\n\n\n"
        '@cached\ndef area(\n    radius: float = {"a:": 1}["a:"],\n) -> dict[str, float]:\n'
        '    """The area: of a circle.\n\n    More.\n    """\n'
    )
    assert area.body.startswith("    # its body's own remark\n    if radius")
    assert bare.prompt.endswith("import late\n\n\ndef bare(left, right): # a remark\n")


def test_prompt_and_body_are_the_lines_that_a_program_replaces() -> None:
    lines = SHOWN.splitlines(keepends=True)
    for function in _found(SHOWN)[0]:
        text = "".join(lines[function.first_line - 1 : function.last_line])
        assert function.reference.endswith(text)
        ast.parse(function.empty)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("class A:\n    def f(self):\n        return 1\n", None),
        ("if x:\n    class f:\n        def f(self):\n            return 1\n", INNER),
        ("if x:\n    def f():\n        return 1\n", INNER),
        ("def f():\n    return 1\nf = g(f)\n", TWICE),
        ("def f():\n    return 1\ndef g():\n    global f\n    f = 2\n", TWICE),
        ('def f():\n    """Words."""\n', TRIVIAL),
        ("def f():\n    raise NotImplementedError\n", TRIVIAL),
        ("def f(): return 1\n", CROWDED),
        ("def f():\n    return 1\nx = 1; y = 2\n", None),
        ("@overload\ndef f(): ...\n\ndef f():\n    return 1\n", None),
    ],
)
def test_what_cannot_be_asked_for_says_why(source: str, reason: str | None) -> None:
    functions, unfit = _found(source)

    assert [each.reason for each in unfit if each.name == "f"] == ([reason] if reason else [])
    assert [each.name for each in functions if each.name == "f"] == ([] if reason else ["f"])


def test_of_the_special_methods_those_that_do_something_are_asked_for() -> None:
    source = """
    class A:
        def __init__(self, x):
            self.x = x

        def __eq__(self, other):
            if other is None:
                return False
            return self.x == other.x

        def __getattr__(self, name):
            value = name.upper()
            return value
    """
    functions, unfit = _found(source)

    assert [each.qualified_name for each in functions] == ["A.__eq__"]
    assert {each.name: each.reason for each in unfit} == {
        "A.__init__": TRIVIAL,
        "A.__getattr__": INTIMATE,
    }


METHODS = '''
import math


class Outer:
    """Outside."""

    class Shape(Base, kind=1):
        """A shape
        of its own.
        """

        SIDES: int = 4
        names = (
            "a",
        )

        def area(self):
            return 1

        @property
        def width(self) -> int:
            """How wide: in all."""
            return self._width

        @width.setter
        def width(self, width):
            self._width = width

        def __init__(self, width):
            self.area()
            self._width = width
'''
SHOWN_OF_METHOD = '''# pkg/shapes.py
import math


class Outer:
    """Outside."""

    class Shape(Base, kind=1):
        """A shape
        of its own.
        """

        SIDES: int = 4
        names = (
            "a",
        )

        # It has area.

        def __init__(self, width):
            self.area()
            self._width = width

        @property
        def width(self) -> int:
            """How wide: in all."""
'''


def test_a_methods_prompt_has_what_its_class_says_of_itself() -> None:
    functions, unfit = _found(METHODS)
    width = next(each for each in functions if each.name == "width")

    assert [each.name for each in unfit] == ["Outer.Shape.width"]
    assert width.prompt == SHOWN_OF_METHOD
    assert width.body == "            return self._width\n"
    assert (width.classes, width.qualified_name) == (("Outer", "Shape"), "Outer.Shape.width")
    for each in functions:
        assert each.find(ast.parse(each.reference)).name == each.name
        ast.parse(each.empty)


def test_an_empty_body_is_indented_as_the_original_was() -> None:
    ((only,), _) = _found("class A:\n\tdef f(self):\n\t\t'''Words.'''\n\t\treturn 1\n")

    assert only.empty.endswith("\t\t'''Words.'''\n\t\tpass\n")


def test_a_methods_mutants_change_its_own_body_alone() -> None:
    width = next(each for each in _found(METHODS)[0] if each.name == "width")

    (only,) = mutants(width, 10)

    assert "return [self._width]" in only
    assert "self._width = width" in only


@pytest.mark.parametrize("path", ["tests/x.py", "pkg/tests/x.py", "test_x.py", "conftest.py"])
def test_functions_of_tests_are_not_asked_for(path: str) -> None:
    assert _found(SHOWN, path) == ([], [])


def test_lines_are_counted_as_the_parser_counts_them() -> None:
    ((only,), _) = _found("x = '\\d'\r\n\f\r\ndef f(x):\r\n    return x\r\n")

    assert (only.first_line, only.last_line) == (3, 4)
    assert only.prompt.endswith("\n\ndef f(x):\n")
    assert only.body == "    return x\n"


def test_a_file_that_is_no_python_is_passed_over() -> None:
    assert _found("def (:") == ([], [])


def test_mutants_differ_in_one_place_and_are_the_same_every_time() -> None:
    (area, _), _ = _found(SHOWN)

    made = mutants(area, 100)

    assert made == mutants(area, 100)
    assert made[:3] == mutants(area, 3)
    assert len(set(made)) == len(made) >= 6
    changed = "\n".join(made)
    for sign in ("radius >= 0", "not radius < 0", "math.pi + radius", "[{'area'", "radius ** 3"):
        assert sign in changed
    for mutant in made:
        assert '"""The area: of a circle.' in mutant
        assert ast.dump(ast.parse(mutant)) != ast.dump(ast.parse(area.reference))


def test_a_body_with_nothing_to_get_wrong_has_few_mutants() -> None:
    ((only,), _) = _found("def f(x):\n    return x\n")

    assert mutants(only, 10) == ("def f(x):\n    return [x]\n",)

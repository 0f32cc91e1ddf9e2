from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crucible_infra.errors import FormatError, InvalidInput
from crucible_tasks.challenge import Challenge, ScriptTests
from crucible_tasks.user_tests import read_tests

ADD = "def add(a, b):\n    if a < 0: raise ValueError('negative')\n    return a + b\n"
SUBTRACT = "def add(a, b): return a - b\n"


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(source: str, name: str = "test_add.py") -> Challenge:
        path = tmp_path / name
        path.write_text(source)
        return read_tests(str(path), "write add")

    return write


def script(challenge: Challenge) -> str:
    assert isinstance(challenge.tests, ScriptTests)
    return challenge.tests.source


def passes(challenge: Challenge, program: str) -> bool:
    namespace: dict[str, Any] = {}
    exec(program, namespace)
    try:
        exec(script(challenge), namespace)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize(
    "source",
    [
        "assert add(1, 2) == 3",
        "from sums import add\n\ndef test_add():\n    assert add(1, 2) == 3\n",
        "from sums import add as plus\n\ndef test_add():\n    assert plus(1, 2) == 3\n",
        "import sums\n\ndef test_add():\n    assert sums.add(1, 2) == 3\n",
        "from .sums import add\n\nasync def test_add():\n    assert add(1, 2) == 3\n",
        "class TestAdd:\n    def test_it(self):\n        assert add(1, 2) == 3\n",
        """import pytest
@pytest.mark.parametrize('a, b', [(1, 2), (0, 3)])
@pytest.mark.parametrize('c', [3])
def test_add(a, b, c):
    assert add(a, b) == c""",
        "from pytest import approx\n\ndef test():\n    assert add(0.1, 0.2) == approx(0.3)\n",
        """import pytest
@pytest.mark.slow
def test_add():
    with pytest.raises(ValueError, match='neg'):
        add(-1, 2)""",
    ],
)
def test_what_pytest_would_run_tells_a_right_program_from_a_wrong_one(
    source: str, written: Any
) -> None:
    challenge = written(source)
    assert challenge.entry_point == "add"
    assert passes(challenge, ADD)
    assert not passes(challenge, SUBTRACT)


def test_an_exception_of_the_program_needs_the_tests_beside_it(written: Any) -> None:
    source = "import pytest\ndef test():\n    with pytest.raises(Odd):\n        add(-1, 2)\n"
    assert "except (Odd,):" in script(written(source))
    assert "except (" not in script(written(source.replace("Odd", "ValueError")))


@pytest.mark.parametrize(
    ("source", "name", "problem"),
    [
        ("def test(tmp_path):\n    add(tmp_path)\n", "t.py", "t.py:1: test takes fixtures"),
        ("assert 1 == 1\n", "t.py", "calls nothing that an answer could define"),
        ("x = 1\nassert add(\n", "t.py", "t.py:2: is no Python"),
        ("assert add(1)", "t.rb", "is no test file that can be run here"),
        ("expect(add(1)).toBe(2)", "t.js", r"expect\(…\) belongs to a test runner"),
        ("const x = 1;", "t.js", "calls nothing that an answer could define"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(
    source: str, name: str, problem: str, written: Any
) -> None:
    with pytest.raises(InvalidInput, match=problem):
        written(source, name)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"gone\.py: No such file"):
        read_tests("gone.py", "")
    assert issubclass(FormatError, InvalidInput)


@pytest.mark.parametrize(
    ("required", "called"),
    [
        ("const { add } = require('./sums');\n", "add"),
        ("const assert = require('node:assert'); const {add} = require('./sums');", "add"),
        ("const {\n  add,\n  other,\n} = require('./sums')\n", "add"),
        ("const { add: plus } = require('../sums.js');\n", "plus"),
        ("const sums = require('./sums');\n", "sums.add"),
        ("const add = require('./sums').add;\n", "add"),
    ],
)
def test_javascript_takes_names_of_the_programs_own_module_from_the_program(
    required: str, called: str, written: Any
) -> None:
    source = (
        f"{required}const twice = (x) => {called}(x, x);\n"
        f"require('node:assert').strictEqual({called}(twice(1), 2), 4);\n"
    )
    challenge = written(source, "t.js")
    assert challenge.entry_point == "add"
    assert "sums" not in script(challenge)
    assert ("const plus = add;" in script(challenge)) == (called == "plus")

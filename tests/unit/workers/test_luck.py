"""Luck: what draws numbers, reads clocks or hides its imports is never remembered."""

from __future__ import annotations

import time

import pytest

from crucible_tasks.challenge import Challenge, Language, OracleTests, ScriptTests
from crucible_tasks.challenges import open_dataset
from crucible_workers.luck import depends_on_luck, has_lucky_tests

PYTHON, JAVASCRIPT = Language.PYTHON, Language.JAVASCRIPT


@pytest.mark.parametrize(
    "program",
    [
        "import random",
        "import math, time",
        "import math; import os",
        "import math,\\\n    random",
        "if True: import secrets",
        "def f():\n    from datetime import date\n",
        "from numpy import random",
        "from . import anything",
        "def f(x): return id(x)",
        "eval('1')",
        "import sys\nsys.modules['time']",
        'print(f"{hash(object())}")',
        "__import__('random')",
        "x = 1 # " + "x" * 70_000,
    ],
)
def test_a_program_that_luck_can_reach_is_lucky(program: str) -> None:
    assert depends_on_luck(program, PYTHON)


@pytest.mark.parametrize(
    "program",
    [
        "import re as r, sys, itertools\nfrom typing import List",
        "from collections import (\n    Counter,\n    deque,\n)",
        '"""How long ago? The time and a random id, by eval."""',
        "# import random",
        "x = 'import time'\ny = \"it's # id\" # open",
        "raise ValueError from error",
        "def f(): yield from range(3)",
        "def f(:",
    ],
)
def test_a_program_that_only_computes_is_not(program: str) -> None:
    assert not depends_on_luck(program, PYTHON)


@pytest.mark.parametrize(
    ("program", "is_lucky"),
    [
        ("const f = (x) => x + 1;", False),
        ("const f = () => Math.random();", True),
        ("const f = () => new Date().getDay();", True),
        ("const fs = require('fs');", True),
        ("function dated(updateDate1) { return updateDate1; }", False),
    ],
)
def test_javascript_without_clock_and_chance_is_not(program: str, *, is_lucky: bool) -> None:
    assert depends_on_luck(program, JAVASCRIPT) is is_lucky


def test_tests_that_draw_their_questions_are_lucky() -> None:
    def challenge(tests: ScriptTests | OracleTests, prompt: str = "") -> Challenge:
        return Challenge("probe/0", PYTHON, prompt, "f", tests)

    assert has_lucky_tests(challenge(ScriptTests("import random\nassert f(random.random())")))
    assert has_lucky_tests(challenge(OracleTests("import time\ndef f(): pass", "[[1]]")))
    assert has_lucky_tests(challenge(ScriptTests("assert f()"), "import random\n"))
    assert not has_lucky_tests(challenge(ScriptTests("assert f(1) == 'random'")))
    # inputs are data
    assert not has_lucky_tests(challenge(OracleTests("def f(): pass", "[['id', 'open']]")))


def test_nearly_all_of_human_eval_is_not_lucky() -> None:
    challenges = open_dataset("humaneval").challenges
    programs = [one.task_id for one in challenges if depends_on_luck(one.reference or "", PYTHON)]
    tests = [one.task_id for one in challenges if has_lucky_tests(one)]

    # it calls eval
    assert programs == ["HumanEval/160"]
    # they draw numbers
    assert tests == [f"HumanEval/{number}" for number in (32, 38, 50, 53)]


@pytest.mark.parametrize("piece", ['"', "'", '"""', '\\"', "f'{", "#", "import ", '"\\\n'])
def test_a_hostile_text_is_read_in_no_time(piece: str) -> None:
    began = time.process_time()
    depends_on_luck(piece * (60_000 // len(piece)), PYTHON)

    assert time.process_time() - began < 1.0

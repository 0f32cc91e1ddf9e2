"""Answers put to tests, and programs run for their output, in a real sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crucible_api.sandbox_work import ask_sandbox
from crucible_api.verified_answer import Judged, Verifier, drawn
from crucible_infra import settings
from crucible_tasks.answering import AnswerRequest
from crucible_tasks.challenge import Language, Limits
from crucible_tasks.completion import Finish
from crucible_tasks.execution import EXECUTION, Execution, ExecutionRequest
from crucible_tasks.prompt_examples import examples_in
from crucible_tasks.sampling import Sampling
from crucible_tasks.user_tests import read_tests
from crucible_tasks.verdict import Mode, Outcome
from sandbox_probes import opened

TESTS = {
    "sums.py": "import pytest\nfrom sums import add\n\n"
    "@pytest.mark.parametrize('a, b, c', [(1, 2, 3), (0.1, 0.2, pytest.approx(0.3))])\n"
    "def test_add(a, b, c):\n    assert add(a, b) == c\n\n"
    "def test_negative():\n    with pytest.raises(ValueError, match='neg'):\n        add(-1, 1)\n",
    "odd.py": "import pytest\nfrom odd import Odd, check\n\n"
    "def test():\n    with pytest.raises(Odd):\n        check(1)\n    check(2)\n",
    "suite.py": "import unittest\n\nclass T(unittest.TestCase):\n"
    "    def test_it(self):\n        self.assertEqual(add(1, 2), 3)\n",
    "sums.js": "import assert from 'node:assert';\nimport { add } from './sums.js';\n"
    "assert.deepStrictEqual(add([1], [2]), [1, 2]);\n",
}
ADD = "def add(a, b):\n    if a < 0: raise ValueError('negative')\n    return a + b\n"
ODD = "class Odd(Exception): pass\ndef check(n):\n    if n % 2: raise Odd(n)\n"


@pytest.fixture(scope="module", autouse=True)
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One sandbox for all tests here, where the host can."""
    from crucible_workers import evaluate

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRUCIBLE_HOME", str(tmp_path_factory.mktemp("home")))
        settings.current.cache_clear()
        backend = settings.current().sandbox_backend
        with opened(backend) as one:
            patch.setattr(evaluate, "_sandboxes", {backend: one})
            yield
    settings.current.cache_clear()


def judged(directory: Path, name: str, program: str, tag: str = "python") -> Judged:
    (directory / name).write_text(TESTS[name])
    verifier = Verifier(read_tests(str(directory / name), "write it"))
    return verifier.judge(f"Here:\n\n```{tag}\n{program}```\nEnjoy.\n", Finish.STOP)


def test_a_right_answer_passes_and_a_wrong_one_says_where(tmp_path: Path) -> None:
    right = judged(tmp_path, "sums.py", ADD)
    assert (right.has_passed, right.program, right.verdict.mode) == (True, ADD, Mode.SPLIT)
    wrong = judged(tmp_path, "sums.py", ADD.replace("+", "-"))
    assert wrong.verdict.outcome is Outcome.FAILED
    assert wrong.verdict.detail == "assert add(a, b) == c; the last call returned -1"
    silent = judged(tmp_path, "sums.py", ADD.replace("raise ValueError('negative')", "pass"))
    assert "did not raise" in silent.verdict.detail
    assert judged(tmp_path, "suite.py", ADD).has_passed
    assert not judged(tmp_path, "suite.py", ADD.replace("+", "-")).has_passed


def test_an_exception_of_the_program_is_caught_beside_it(tmp_path: Path) -> None:
    right = judged(tmp_path, "odd.py", ODD)
    assert (right.has_passed, right.verdict.mode) == (True, Mode.SHARED)
    assert not judged(tmp_path, "odd.py", ODD.replace("n % 2", "False")).has_passed


def test_javascript_is_put_to_its_own_tests(tmp_path: Path) -> None:
    right = "export const add = (a, b) => [...a, ...b];\n"
    assert judged(tmp_path, "sums.js", right, "js").has_passed
    assert not judged(tmp_path, "sums.js", "const add = (a) => a;\n", "js").has_passed


def test_examples_of_a_prompt_are_tests() -> None:
    prompt = "Write a JavaScript function: add(1, 2) === 3, add(-1) throws RangeError"
    found = examples_in(prompt)
    assert found is not None
    verifier = Verifier(found.challenge(prompt))
    code = "function add(a, b) { if (a < 0) throw new RangeError('x'); return a + b; }"
    assert verifier.judge(f"```js\n{code}\n```", Finish.STOP).has_passed
    wrong = verifier.judge(f"```js\n{code.replace('Range', 'Type')}\n```", Finish.STOP)
    assert wrong.verdict.outcome is not Outcome.PASSED
    assert verifier.judge("No.", Finish.STOP).verdict.outcome is Outcome.NO_CODE


def test_a_later_answer_is_drawn_with_more_chance_and_another_seed() -> None:
    request = AnswerRequest((), Sampling(temperature=0.2), 2**31 - 1)
    assert drawn(request, 0) == request
    again = drawn(request, 1)
    assert (again.seed, again.sampling.temperature) == (1, 0.8)


def ran(program: str, language: Language = Language.PYTHON) -> Execution:
    limits = Limits(cpu_seconds=0.5)
    return ask_sandbox(EXECUTION, ExecutionRequest(language, program, limits))


def test_a_program_is_run_for_what_it_prints() -> None:
    done = ran("import sys\nprint('out')\nprint('err', file=sys.stderr)\n")
    assert (done.outcome, done.stdout, done.stderr) == (Outcome.PASSED, "out\n", "err\n")
    failed = ran("print(1)\nx = 1 / 0\n")
    assert (failed.outcome, failed.stdout) == (Outcome.ERROR, "1\n")
    # nothing of ours is in it
    assert failed.stderr == (
        'Traceback (most recent call last):\n  File "solution.py", line 2, in <module>\n'
        "ZeroDivisionError: division by zero\n"
    )
    assert ran("def f(:").outcome is Outcome.SYNTAX_ERROR
    assert ran("while True: pass").outcome is Outcome.TIMED_OUT
    assert ran("console.log(1 + 1)", Language.JAVASCRIPT).stdout == "2\n"
    assert "boom" in ran("throw new Error('boom')", Language.JAVASCRIPT).stderr

"""A program in a function's place: honest ones pass, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import PurePath
from textwrap import dedent, indent

import pytest

from crucible_infra import settings
from crucible_infra.errors import UnusableTests
from crucible_tasks.challenge import Challenge, Language, Limits, RepositoryTests
from crucible_tasks.repository.functions import Function, find_functions
from crucible_tasks.repository.snapshot import take_snapshot
from crucible_tasks.verdict import Mode, Outcome, Verdict
from crucible_workers.sandbox import Sandbox, open_sandbox
from crucible_workers.sandbox.repositories import keep_archive
from small_repository import pytest_alone, write_repository

TESTS = {
    "total": ("test_total",),
    "doubled": ("test_doubled",),
    "price_of": ("test_price[egg-2]", "test_price[ham-5]", "test_no_price"),
    "every": ("test_every",),
    "currencies": ("test_currencies",),
    "cached": ("test_cached",),
    "Basket.__init__": ("test_add", "test_of"),
    "Basket.add": ("test_add",),
    "Basket.change": ("test_change", "test_add"),
    "Basket.count": ("test_add", "test_of"),
    "Basket.of": ("test_of",),
    "Basket.is_name": ("test_is_name",),
    "Basket.__sum": ("test_of",),
    "Tally.note": ("test_tally",),
}


@dataclass(frozen=True)
class Placed:
    """One repository in a sandbox."""

    sandbox: Sandbox
    digest: str
    packages: str
    functions: dict[str, Function]

    def __call__(self, name: str, body: str, tests: tuple[str, ...] = ()) -> Verdict:
        """Judge a body behind the prompt of the function of that name."""
        function = self.functions[name]
        lines = indent(body.strip("\n"), function.margin)
        return self.program(name, f"{function.prompt}{lines}\n", tests)

    def program(self, name: str, program: str, tests: tuple[str, ...] = ()) -> Verdict:
        """Judge a whole program in the place of the function of that name."""
        (verdict,) = self.sandbox.judge(self._challenge(name, tests or TESTS[name]), [program])
        return verdict

    def _challenge(self, name: str, tests: tuple[str, ...]) -> Challenge:
        function = self.functions[name]
        stem = PurePath(function.path).stem
        where = RepositoryTests(
            snapshot=self.digest,
            path=function.path,
            module=f"shop.{stem}",
            name=name,
            first_line=function.first_line,
            last_line=function.last_line,
            tests=tuple(f"tests/test_{stem}.py::{test}" for test in tests),
            packages=(self.packages,),
        )
        limits = Limits(cpu_seconds=1.0)
        return Challenge(name, Language.PYTHON, function.prompt, name, where, limits=limits)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Placed]:
    folders = [tmp_path_factory.mktemp(name) for name in ("home", "repository", "packages")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRUCIBLE_HOME", str(folders[0]))
        settings.current.cache_clear()
        snapshot = take_snapshot(write_repository(folders[1]))
        keep_archive(snapshot.archive, snapshot.digest)
        functions = {each.qualified_name: each for each in find_functions(snapshot)[0]}
        with closing(open_sandbox("namespaces", 1)) as sandbox:
            yield Placed(sandbox, snapshot.digest, str(pytest_alone(folders[2])), functions)
    settings.current.cache_clear()


@pytest.mark.parametrize("name", TESTS)
def test_the_original_passes_in_another_process_than_its_tests(judge: Placed, name: str) -> None:
    verdict = judge.program(name, judge.functions[name].reference)

    assert (verdict.outcome, verdict.mode) == (Outcome.PASSED, Mode.SPLIT), verdict.detail


@pytest.mark.parametrize("name", TESTS)
def test_an_empty_body_fails(judge: Placed, name: str) -> None:
    assert judge(name, "pass").outcome in (Outcome.FAILED, Outcome.ERROR)


def test_everybody_who_holds_the_function_calls_the_program(judge: Placed) -> None:
    verdict = judge("total", "return 34 if orders else 1")

    assert verdict.outcome is Outcome.FAILED
    assert "assert shop.total([], PRICES.get) == 0" in verdict.detail
    assert "the last call returned 1" in verdict.detail


def test_a_program_may_use_its_module_and_helpers_of_its_own(judge: Placed) -> None:
    body = """
def twice(n): return n * Unit.DOZEN.value // 6
return Order(order.name, twice(order.count), order.unit)
"""
    verdict = judge("doubled", body)

    assert verdict.outcome is Outcome.PASSED, verdict.detail


ADDED = """
def add(self, order, times=1, most=LARGEST):
    there = self._orders.setdefault(order.name, order)
    if there is not order:
        there.count = more(there.count + order.count * times, most)
    super().change(self.one())
    return self

def one(self): return 1
"""
MORE = "def more(count, most): return most if count > most else count\n"
ANSWERS = {
    "a whole class": f"{MORE}class Basket(Nobody):\n    LARGEST = 1\n{indent(ADDED, '    ')}",
    "the class of a class": f"class Basket: pass\n{MORE}\nclass Basket:{indent(ADDED, '    ')}",
    "the method alone": (
        f"{MORE}{ADDED.partition('def one')[0]}".replace("most=LARGEST", "most=9")
        .replace("super()", "Counted")
        .replace("change(", "change(self, ")
        .replace("self.one()", "1")
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_method_may_be_answered_by_a_class_or_alone(judge: Placed, name: str) -> None:
    verdict = judge.program("Basket.add", ANSWERS[name])

    assert (verdict.outcome, verdict.mode) == (Outcome.PASSED, Mode.SPLIT), verdict.detail


@pytest.mark.parametrize("name", ["Basket.of", "Basket.is_name", "Basket.count"])
def test_a_method_alone_is_bound_as_the_original_was(judge: Placed, name: str) -> None:
    function = judge.functions[name]
    text = function.reference[function.reference.index(f"    def {function.name}") :]

    verdict = judge.program(name, dedent(text).replace("__sum", "_Basket__sum"))

    assert verdict.outcome is Outcome.PASSED, verdict.detail


def test_what_a_class_has_besides_the_method_stays_out(judge: Placed) -> None:
    program = """
class Basket:
    def __len__(self): return 1
    def change(self, times=1): self.changes = 3
    def add(self, order, times=1): return self
"""
    assert judge.program("Basket.add", program).outcome is Outcome.FAILED
    assert "defines no function Basket.add" in judge.program("Basket.add", "x = 1").detail


def test_a_program_cannot_lend_its_object_another_class(judge: Placed) -> None:
    body = """
class Equal(Basket):
    def __eq__(self, other): return True
    count = property(lambda self: 9)
self.__class__ = Equal
return self
"""
    assert judge("Basket.add", body).outcome in (Outcome.FAILED, Outcome.ERROR)


ATTACKS = {
    "leaves with success": "import sys; sys.exit(0)",
    "ends its process": "import os; os._exit(0)",
    "says it passed": "print('1 passed in 0.01s'); import os; os.write(1, b'1 passed'); return 0",
    "skips": "import pytest; pytest.skip('no')",
    "skips as unittest does": "import unittest; raise unittest.SkipTest('no')",
    "ends pytest": "import pytest; pytest.exit('done', 0)",
    "patches pytest": """
import _pytest.runner, _pytest.python, _pytest.reports
_pytest.runner.runtestprotocol = lambda *a, **k: []
_pytest.python.Function.runtest = lambda self: None
_pytest.reports.TestReport.outcome = 'passed'
return 0
""",
    "edits the tests": """
import os
for folder, folders, names in os.walk('/'):
    folders[:] = [one for one in folders if one not in ('usr', 'lib', 'lib64', 'dev')]
    for name in names:
        if name.endswith('.py') and 'test' in name:
            try:
                open(os.path.join(folder, name), 'w').write('def test_total(): pass')
            except OSError:
                pass
return 0
""",
    "replaces the tests": """
import sys, types
for name in ('test_prices', 'tests.test_prices'):
    sys.modules[name] = types.ModuleType(name)
return 0
""",
    "equals everything": """
class Equal(int):
    def __eq__(self, other): return True
    __hash__ = int.__hash__
return Equal()
""",
    "names a class that is not the repository's": """
class Equal: pass
Equal.__module__, Equal.__qualname__ = 'shop.prices', 'Path'
return Equal()
""",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_makes_a_pass(judge: Placed, name: str) -> None:
    verdict = judge("total", ATTACKS[name])

    assert verdict.outcome in (Outcome.FAILED, Outcome.ERROR), verdict


def test_neither_the_original_nor_a_test_is_anywhere_to_be_found(judge: Placed) -> None:
    search = """
import gc, os, sys, types
words = ('order.unit' + '.value * price', 'sum' + '_up(')
found = []
for folder, folders, names in os.walk('/'):
    folders[:] = [one for one in folders if one not in ('usr', 'lib', 'lib64', 'packages', 'dev')]
    for file in names:
        text = open(os.path.join(folder, file), errors='replace').read()
        found += [(folder, file) for word in words if word in text]
for one in gc.get_objects():
    if isinstance(one, dict) and 'shop.prices' in one:
        found += [key for key, value in one.items() if any(word in str(value) for word in words)]
codes = [one for one in gc.get_objects() if isinstance(one, types.FunctionType)]
found += [one for one in codes if one.__name__ == 'total' and 'sum' in one.__code__.co_names]
found += [name for name in sys.modules if 'test_prices' in name]
raise ValueError(f'found {found}')
"""
    assert judge("total", search).detail == "ValueError: found []"


def test_an_exception_of_the_repository_is_caught_by_its_tests(judge: Placed) -> None:
    body = """
if name in prices: return prices[name]
if default is NOTHING: raise LookupError(name)
return default
"""
    assert judge("price_of", body).outcome is Outcome.ERROR
    assert judge("price_of", body.replace("LookupError", "NoPrice")).outcome is Outcome.PASSED


def test_a_program_without_the_function_and_one_without_sense_say_so(judge: Placed) -> None:
    assert "defines no function every" in judge.program("every", "x = 1").detail
    assert judge("every", "return ((").outcome is Outcome.SYNTAX_ERROR


def test_an_endless_program_is_ended_by_its_cpu_time(judge: Placed) -> None:
    verdict = judge("every", "while True: pass")

    assert verdict.outcome is Outcome.TIMED_OUT


def test_a_skipped_test_is_no_pass(judge: Placed) -> None:
    assert judge("every", "return iter(())", ("test_skipped",)).outcome is Outcome.FAILED


def test_a_test_that_is_not_there_is_the_datasets_fault(judge: Placed) -> None:
    with pytest.raises(UnusableTests, match=r"has no test tests/test_prices\.py::test_nothing"):
        judge("every", "pass", ("test_nothing",))

"""The survey of a JavaScript repository: each file of its tests, run twice by Node's own runner."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from crucible_infra import settings
from crucible_infra.errors import UnusableTests
from crucible_tasks.repository.javascript.functions import Function, find_functions, text_of
from crucible_tasks.repository.javascript.layout import files_of_tests, manifest
from crucible_tasks.repository.snapshot import Snapshot
from crucible_tasks.survey import CalledFunction, Survey, SurveyedTest
from crucible_workers.sandbox.javascript.node import demand_runner, find_node
from crucible_workers.sandbox.javascript.node_process import NodeProcess
from crucible_workers.sandbox.javascript.slot import inside
from crucible_workers.sandbox.javascript.suite import Suite
from crucible_workers.sandbox.javascript.trees import TESTS, Trees
from crucible_workers.sandbox.prison.frames import ChannelClosed, is_readable
from crucible_workers.sandbox.prisons import Cell, Prison
from crucible_workers.sandbox.repositories import Repository
from crucible_workers.sandbox.runtime import find_runtime

#: wall-clock seconds of all tests together, each time, and of one file
_MOST_SECONDS = 600.0
_FILE_SECONDS = 60.0
#: CPU seconds of one file
_BUSY_SECONDS = 30.0
#: the last of a slot's prisons
_PLACE = 7
_NO_END = "does not end"
_ENDED = "ended its process before its tests had ended"


def survey_javascript(repository: Repository) -> Survey:
    """Run every file twice; the first time, see what its tests call.

    Raises UnusableTests, SandboxUnavailable.
    """
    snapshot = repository.snapshot
    files = files_of_tests(snapshot)
    if not files:
        raise UnusableTests(
            "the repository has no tests that Node's runner finds",
            hint="it looks for names like cart.test.js, and for every file below a folder `test`",
        )
    with closing(_Runner(repository)) as runner:
        first = [runner.run(file, is_traced=True) for file in files]
        second = [runner.run(file, is_traced=False) for file in files]
    again = {test["id"]: test["problem"] for each in second for test in each["tests"]}
    problems = tuple(f"{file}: {said}" for file, said in _problems(files, first))
    survey = _survey(snapshot, first, again, problems)
    if all(test.problem is not None for test in survey.tests):
        raise _nothing_passes(snapshot, survey, runner.has_packages)
    return survey


class _Runner:
    """A prison in which one file after the other is run."""

    def __init__(self, repository: Repository) -> None:
        backend = settings.current().sandbox_backend
        node = find_node(backend)
        demand_runner(node)
        self.has_packages = bool(repository.packages)
        self._trees = Trees(repository, backend)
        try:
            root = self._trees.shown(TESTS, inside(backend, find_runtime(), node))
            self._process = NodeProcess(Prison("node", Cell(0, _PLACE), backend, (), root), node)
        except BaseException:
            self._trees.close()
            raise
        self._deadline = time.monotonic() + 2 * _MOST_SECONDS

    def close(self) -> None:
        """End the prison."""
        self._process.close()
        self._trees.close()

    def run(self, file: str, *, is_traced: bool) -> dict[str, Any]:
        """What became of each test of a file. Raises UnusableTests when time is up."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise UnusableTests(f"the repository's tests take more than {_MOST_SECONDS:g} s")
        root = self._trees.root(TESTS)
        message = {"root": root, "path": f"{root}/{file}", "file": file, "isTraced": is_traced}
        suite = Suite(self._process, "survey.js", message)
        self._process.watch(_BUSY_SECONDS, from_start=True)
        with closing(suite):
            if not is_readable(suite.control, min(left, _FILE_SECONDS)):
                return _unheard(file, _NO_END)
            try:
                return suite.answer()
            except ChannelClosed:
                return _unheard(file, _ENDED)


def _unheard(file: str, problem: str) -> dict[str, Any]:
    test = {"id": file, "problem": problem, "seconds": 0.0, "calls": []}
    return {"tests": [test], "failure": problem}


def _problems(files: Sequence[str], found: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Files that fail before, or without, any test of theirs."""
    for file, each in zip(files, found, strict=True):
        if each["failure"] is not None:
            yield file, each["failure"].partition("\n")[0]


def _survey(
    snapshot: Snapshot,
    found: Sequence[dict[str, Any]],
    again: dict[str, str | None],
    problems: tuple[str, ...],
) -> Survey:
    places = _places(snapshot, find_functions(snapshot)[0])
    numbers: dict[CalledFunction, int] = {}
    tests = []
    for each in (test for file in found for test in file["tests"]):
        called = filter(None, (places.get(call) for call in each["calls"]))
        problem = each["problem"] or again.get(each["id"], _ENDED)
        problem = problem and problem.partition("\n")[0]
        calls = tuple(numbers.setdefault(one, len(numbers)) for one in called)
        tests.append(SurveyedTest(each["id"], problem, round(each["seconds"], 6), calls))
    return Survey(tuple(numbers), tuple(tests), problems)


def _places(snapshot: Snapshot, functions: Sequence[Function]) -> dict[str, CalledFunction]:
    """Functions by where V8 says that they begin: in units of UTF-16."""
    found = {}
    for each in functions:
        before = text_of(snapshot.files[each.path])[: each.start]
        units = len(before.encode("utf-16-le")) // 2
        name = each.qualified_name
        found[f"{units} {each.path}"] = CalledFunction(each.path, each.first_line, name, each.path)
    return found


def _nothing_passes(snapshot: Snapshot, survey: Survey, has_packages: bool) -> UnusableTests:  # noqa: FBT001 -- of the repository
    """Why, by the first of them, and what to do about it."""
    said = next((test.problem for test in survey.tests), "there is none") or ""
    wanted = manifest(snapshot)
    needs = bool(wanted.get("dependencies") or wanted.get("devDependencies"))
    hint = "run `node --test` there, to see why"
    if needs and not has_packages:
        hint = "its packages are not installed: run `npm install` there"
    return UnusableTests(f"none of its tests passes: {said.partition(chr(10))[0]}", hint=hint)

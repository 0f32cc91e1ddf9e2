"""A slot for a JavaScript repository's challenges: tests in one process, a program in another.

Every program meets new processes, and every file of tests, as Node's own runner does it: modules
keep state, and so do tests. The tests' process has the repository with a hole in one module
(`prison/javascript/suite.js`), the program's one has the same module without any test
(`prison/javascript/placed.js`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from crucible_tasks.challenge import Challenge, Limits, RepositoryTests
from crucible_tasks.repository.javascript.filling import filling_of
from crucible_tasks.repository.javascript.functions import Function, text_of
from crucible_tasks.repository.javascript.relatives import relatives
from crucible_tasks.verdict import Outcome
from crucible_workers.sandbox.deaths import Finding, conclude
from crucible_workers.sandbox.guard import WallGuard
from crucible_workers.sandbox.javascript.node import Node, demand_runner, find_node
from crucible_workers.sandbox.javascript.slot import NodeSlot, inside
from crucible_workers.sandbox.javascript.suite import Suite
from crucible_workers.sandbox.javascript.trees import PROGRAM, TESTS, Trees
from crucible_workers.sandbox.prisons import Cell
from crucible_workers.sandbox.repositories import Repository
from crucible_workers.sandbox.runtime import Runtime

#: of a slot's prisons, those for repositories
_PLACES = {"alone": 5, "driver": 6}
_TREES = {"alone": PROGRAM, "driver": TESTS}
#: what Node itself takes before a program begins
_START_SECONDS = 0.2


class PlacedSlot(NodeSlot):
    """Two prisons that hold one repository."""

    def __init__(
        self,
        opening: tuple[int, str, Runtime, WallGuard | None],
        repository: Repository,
    ) -> None:
        super().__init__(*opening)
        backend = opening[1]
        demand_runner(find_node(backend))
        self._snapshot = repository.snapshot
        self._trees = Trees(repository, backend)

    def dispose(self) -> None:
        """End the prisons, for good."""
        self.close()
        self._trees.close()

    def judge(self, challenge: Challenge, programs: Sequence[str], limits: Limits) -> list[Finding]:
        """Judge the first of these programs; raises as `NodeSlot.judge`."""
        return [self.judge_alone(challenge, programs[0], limits)]

    def _judge_alone(self, challenge: Challenge, source: str, limits: Limits) -> Finding:
        if not isinstance(challenge.tests, RepositoryTests):
            return super()._judge_alone(challenge, source, limits)
        function = self._trees.dig(challenge.tests)
        order = self._order(function, source)
        spent = 0.0
        for file in _files(challenge.tests):
            finding = self._judge_file(challenge.tests, file, order, limits)
            verdict = finding.verdict
            spent += verdict.cpu_seconds
            if finding.doubt is not None or verdict.outcome is not Outcome.PASSED:
                break
        return replace(finding, verdict=replace(verdict, cpu_seconds=round(spent, 6)))

    def _judge_file(
        self, tests: RepositoryTests, file: str, order: dict[str, Any], limits: Limits
    ) -> Finding:
        started = time.monotonic()
        root = self._trees.root(TESTS)
        message = {
            "root": root,
            "file": file,
            "path": f"{root}/{file}",
            "tests": [each for each in tests.tests if each.partition("::")[0] == file],
            "shared": order["program"]["shared"],
            "usesThis": order["usesThis"],
            "order": order["program"],
        }
        suite = Suite(self._opened("driver"), "suite.js", message)
        try:
            process = self._opened("alone")
            suite.connect(process, limits)
            process.watch(limits.cpu_seconds + _START_SECONDS, from_start=True)
            judging = self._wait(suite, process, limits, started)
            process.stop()
        finally:
            suite.close()
        return conclude(judging, limits)

    def _order(self, function: Function, source: str) -> dict[str, Any]:
        """What both processes are told about a program and its place."""
        root = self._trees.root(PROGRAM)
        text = text_of(self._snapshot.files[function.path])
        filling = filling_of(source)
        program = {
            "root": root,
            "path": f"{root}/{function.path}",
            "name": function.name,
            "target": function.target,
            "text": filling.text,
            "imports": [asdict(each) for each in filling.imports],
            # classes that both have
            "shared": relatives(self._snapshot, function.path, text),
        }
        return {"program": program, "usesThis": function.uses_this}

    def _cell(self, number: int, kind: str) -> Cell:
        return Cell(number, _PLACES[kind])

    def _root(self, kind: str, node: Node) -> Runtime:
        _, backend, runtime = self._opening
        return self._trees.shown(_TREES[kind], inside(backend, runtime, node))

    def _end_driver(self) -> None:
        """Nobody else waits for the process of these tests."""


def _files(tests: RepositoryTests) -> list[str]:
    """Of these tests, in their order."""
    return list(dict.fromkeys(each.partition("::")[0] for each in tests.tests))

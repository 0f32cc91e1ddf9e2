"""Runs a whole JavaScript program once per case of a stdin/stdout challenge."""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace

from crucible_tasks.challenge import Limits, StdioCase, StdioTests
from crucible_tasks.verdict import Outcome, Verdict
from crucible_workers.sandbox.deaths import Finding, Judging, conclude
from crucible_workers.sandbox.guard import WallGuard
from crucible_workers.sandbox.javascript.node_process import Launch, NodeProcess
from crucible_workers.sandbox.prison.line import Report
from crucible_workers.sandbox.stdio import outputs_agree

_MODULE_SYNTAX = re.compile(r"^\s*(?:import\b(?!\s*\()|export\b)", re.MULTILINE)
_TAIL_BYTES = 1 << 16


def judge_stdio(
    process: NodeProcess, tests: StdioTests, source: str, limits: Limits, guard: WallGuard
) -> Finding:
    """Run the program once per case, each with the whole CPU limit."""
    finding = Finding(Verdict(Outcome.PASSED))
    cpu = wall = 0.0
    for number, case in enumerate(tests.cases, start=1):
        finding = _run_case(process, number, case, source, limits, guard)
        cpu += finding.verdict.cpu_seconds
        wall += finding.verdict.wall_seconds
        if finding.verdict.outcome is not Outcome.PASSED:
            break
    verdict = replace(finding.verdict, cpu_seconds=cpu, wall_seconds=wall)
    return replace(finding, verdict=verdict)


def _run_case(  # noqa: PLR0913, PLR0917 -- one case and what it may use
    process: NodeProcess,
    number: int,
    case: StdioCase,
    source: str,
    limits: Limits,
    guard: WallGuard,
) -> Finding:
    started = time.monotonic()
    # Node tells modules from scripts by the name
    name = "solution.mjs" if _MODULE_SYNTAX.search(source) else "solution.js"
    given = os.memfd_create("input")
    try:
        os.write(given, case.stdin.encode(errors="surrogatepass"))
        os.lseek(given, 0, os.SEEK_SET)
        process.start(Launch(name, limits, stdin=given, files={name: source}))
    finally:
        os.close(given)
    process.watch(limits.cpu_seconds, from_start=True)
    report = _end(process, started + guard.seconds(limits))
    verdict = None
    if report.reason != "stopped":
        answer = process.output(limits.output_mib << 20)
        verdict = _verdict(number, report, answer, case.stdout, process)
    return conclude(Judging(verdict, report, process.written(), time.monotonic() - started), limits)


def _end(process: NodeProcess, deadline: float) -> Report:
    while not process.speaks_before(deadline + process.busy_seconds()):
        if time.monotonic() >= deadline + process.busy_seconds():
            return process.stop()
    return process.report()


def _verdict(
    number: int, report: Report, answer: bytes, expected: str, process: NodeProcess
) -> list[str]:
    if report.reason != "ended" or report.signal:
        return process.explained(report) or ["gone", ""]
    if report.status:
        _, text = process.explained(report) or ["", f"exit status {report.status}"]
        return ["syntax_error" if "SyntaxError" in text else "error", text]
    if outputs_agree(answer.decode(errors="replace"), expected):
        return ["passed", ""]
    return ["failed", f"case {number}: wrong output {answer[:100].decode(errors='replace')!r}"]

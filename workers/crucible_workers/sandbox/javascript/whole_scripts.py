"""Runs a whole JavaScript program once per case of a stdin/stdout challenge."""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace

from crucible_tasks.challenge import Limits, StdioCase, StdioTests
from crucible_workers.sandbox.deaths import Finding, Judging, Printed, conclude
from crucible_workers.sandbox.guard import WallGuard, wait_unless_idle
from crucible_workers.sandbox.javascript.node_process import Launch, NodeProcess
from crucible_workers.sandbox.prison.frames import is_readable
from crucible_workers.sandbox.prison.line import Report
from crucible_workers.sandbox.stdio import judge_cases, output_verdict

_MODULE_SYNTAX = re.compile(r"^\s*(?:import\b(?!\s*\()|export\b)", re.MULTILINE)
_TAIL_BYTES = 1 << 16


def judge_stdio(
    process: NodeProcess, tests: StdioTests, source: str, limits: Limits, guard: WallGuard
) -> Finding:
    """Run the program once per case, each with the whole CPU limit."""

    def run(number: int, case: StdioCase) -> Finding:
        return _run_case(process, number, case, source, limits, guard)

    return judge_cases(tests, run)


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
    answer = process.output(limits.output_mib << 20)
    if report.reason != "stopped":
        verdict = _verdict(number, report, answer, case.stdout, process)
    judging = Judging(verdict, report, process.written(), time.monotonic() - started)
    printed = Printed(answer, process.errors(_TAIL_BYTES))
    return replace(conclude(judging, limits), printed=printed)


def _end(process: NodeProcess, deadline: float) -> Report:
    def look(seconds: float) -> bool:
        return is_readable(process.control, seconds)

    left = deadline - time.monotonic()
    is_over = wait_unless_idle(look, left, process.busy_seconds)
    return process.report() if is_over else process.stop()


def _verdict(
    number: int, report: Report, answer: bytes, expected: str, process: NodeProcess
) -> list[str]:
    if report.reason != "ended" or report.signal:
        return process.explained(report) or ["gone", ""]
    if report.status:
        _, text = process.explained(report) or ["", f"exit status {report.status}"]
        return ["syntax_error" if "SyntaxError" in text else "error", text]
    return output_verdict(number, answer, expected)

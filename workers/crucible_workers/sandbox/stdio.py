"""Whether a program's output answers a stdin/stdout challenge, by LiveCodeBench's rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from crucible_tasks.challenge import StdioCase, StdioTests
from crucible_tasks.verdict import Outcome, Verdict
from crucible_workers.sandbox.deaths import Finding


def judge_cases(tests: StdioTests, run: Callable[[int, StdioCase], Finding]) -> Finding:
    """What the first case that does not pass finds, or the last, with the time of all that ran."""
    finding = Finding(Verdict(Outcome.PASSED))
    cpu = wall = 0.0
    for number, case in enumerate(tests.cases, start=1):
        finding = run(number, case)
        cpu += finding.verdict.cpu_seconds
        wall += finding.verdict.wall_seconds
        if finding.verdict.outcome is not Outcome.PASSED:
            break
    verdict = replace(finding.verdict, cpu_seconds=cpu, wall_seconds=wall)
    return replace(finding, verdict=verdict)


def output_verdict(number: int, answer: bytes, expected: str) -> list[str]:
    """Outcome and detail of one case whose program ended well."""
    if outputs_agree(answer.decode(errors="replace"), expected):
        return ["passed", ""]
    return ["failed", f"case {number}: wrong output {answer[:100].decode(errors='replace')!r}"]


def outputs_agree(answer: str, expected: str) -> bool:
    """Compare line by line, white space at the ends aside; numbers by value, exactly.

    As LiveCodeBench does: lines agree when equal after stripping, or when every token is a number
    and the numbers are equal (so `1.0` answers `1`). Case matters.
    """
    lines = [line.strip() for line in answer.strip().split("\n")]
    wanted = [line.strip() for line in expected.strip().split("\n")]
    return len(lines) == len(wanted) and all(map(_lines_agree, lines, wanted))


def _lines_agree(line: str, wanted: str) -> bool:
    if line == wanted:
        return True
    numbers, others = _numbers(line), _numbers(wanted)
    return numbers is not None and numbers == others


def _numbers(line: str) -> list[Decimal] | None:
    try:
        return [Decimal(token) for token in line.split()]
    except InvalidOperation:
        return None

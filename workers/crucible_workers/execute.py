"""Implements the execution of one program for its output."""

from __future__ import annotations

from crucible_infra import settings
from crucible_infra.errors import CrucibleError
from crucible_tasks.challenge import Challenge, StdioCase, StdioTests
from crucible_tasks.execution import EXECUTION, Execution, ExecutionRequest
from crucible_tasks.verdict import Outcome
from crucible_workers.evaluate import shared_sandbox

#: of each stream: what a person may still read
_MOST_SHOWN = 1 << 16


@EXECUTION.implement
def execute(request: ExecutionRequest) -> Execution:
    """Run it as a challenge without input, whose right output nobody knows."""
    tests = StdioTests((StdioCase("", ""),))
    challenge = Challenge("run", request.language, "", None, tests, limits=request.limits)
    isolation = settings.current().sandbox_backend
    try:
        finding = shared_sandbox().run(challenge, request.program)
    except CrucibleError as error:
        return Execution(Outcome.INFRA_ERROR, failure=error.message, isolation=isolation)
    verdict, printed = finding.verdict, finding.printed
    # a wrong output is one of a program that ended well
    has_ended_well = verdict.outcome in (Outcome.PASSED, Outcome.FAILED)
    return Execution(
        Outcome.PASSED if has_ended_well else verdict.outcome,
        "" if has_ended_well else verdict.detail,
        _text(printed.stdout[:_MOST_SHOWN]) if printed else "",
        _text(printed.stderr[-_MOST_SHOWN:]) if printed else "",
        verdict.cpu_seconds,
        isolation=isolation,
    )


def _text(data: bytes) -> str:
    return data.decode(errors="replace")

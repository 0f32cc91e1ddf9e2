"""Which programs fail an example that the problem itself shows, judged in this host's sandbox.

The model client that needs to know it works on a generation worker. It judges there and sends
nothing: a message to an evaluation worker would let one task wait for another. A host without a
sandbox cannot judge, and says so when the router is opened, which is before a run is planned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crucible_infra.errors import SandboxBroken, SandboxUnavailable
from crucible_tasks.challenge import Challenge, ScriptTests
from crucible_tasks.verdict import Outcome
from crucible_tasks.visible_examples import examples
from crucible_workers.evaluate import shared_sandbox


def check_sandbox(router: str) -> None:
    """Raise SandboxUnavailable where this host cannot judge examples for a router."""
    try:
        shared_sandbox().prove()
    except SandboxUnavailable as error:
        raise SandboxUnavailable(
            f"{router} escalates on example_failed, and this host has no sandbox to find out: "
            f"{error.message}",
            hint="leave example_failed out of escalate_on, or generate where there is a sandbox",
        ) from error


def failing(challenge: Challenge, programs: Sequence[str]) -> frozenset[str]:
    """Those of the programs that do not get all examples of a visible challenge right.

    Raises SandboxBroken where that cannot be found out now, SandboxUnavailable.
    """
    shown = examples(challenge)
    if not shown or not programs:
        return frozenset()
    judged = replace(challenge, tests=ScriptTests("\n".join(shown)))
    wanted = list(dict.fromkeys(programs))
    found = list(shared_sandbox().judge(judged, wanted))
    ours = next((verdict for verdict in found if verdict.outcome.is_ours), None)
    if ours is not None:
        raise SandboxBroken(f"the examples of {challenge.task_id}: {ours.detail}")
    return frozenset(
        program
        for program, verdict in zip(wanted, found, strict=True)
        if verdict.outcome is not Outcome.PASSED
    )

"""Whether this host can judge, found out before anything is planned."""

from __future__ import annotations

from collections.abc import Callable

from crucible_infra.errors import SandboxUnavailable
from crucible_tasks.evaluation import HOST, HostRequest
from crucible_tasks.sending import send_and_wait

#: opening a prison takes 0.2 s; this is for a host that is very busy
_SANDBOX_SECONDS = 60.0


def try_sandbox(warn: Callable[[str], object]) -> None:
    """Ask this process' worker for a quick check. Raises SandboxUnavailable."""
    report = send_and_wait(HOST, HostRequest(is_quick=True), _SANDBOX_SECONDS)
    if report.problem is not None:
        raise SandboxUnavailable(report.problem, hint=report.hint)
    for check in report.checks:
        if not check.is_ok:
            warn(f"{check.name}: {check.detail}")

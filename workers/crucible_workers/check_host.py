"""Implements the contract that says whether this host's sandbox is safe and reliable."""

from __future__ import annotations

import platform
import socket
from collections.abc import Iterator

from crucible_infra import settings
from crucible_infra.errors import CrucibleError
from crucible_tasks.evaluation import HOST, HostCheck, HostReport, HostRequest
from crucible_workers.evaluate import shared_sandbox
from crucible_workers.sandbox.self_check import CHECKS, Check, run_checks

_TOPICS = {
    "verdict": "verdicts cannot be forged",
    "files": "programs see no file of the host",
    "network": "programs reach no network",
    "kernel": "programs make no dangerous system call",
    "resources": "programs are kept to their limits",
    "promises": "honest programs get honest verdicts",
}


@HOST.implement
def check_host(request: HostRequest) -> HostReport:
    """Judge every small attack and promise of the self-check, or only one harmless program."""
    host = socket.gethostname()
    backend = settings.current().sandbox_backend
    try:
        shared_sandbox().prove()
    except CrucibleError as error:
        return HostReport(host, (), problem=error.message, hint=error.hint)
    checks = () if request.is_quick else tuple(_self_checks(backend))
    return HostReport(host, (_isolation(backend), *checks))


def _isolation(backend: str) -> HostCheck:
    is_isolated = backend == "namespaces"
    wall = "namespaces" if is_isolated else "process: NO isolation from model-written code"
    return HostCheck("sandbox", is_isolated, f"{wall}, kernel {platform.release()}")


def _self_checks(backend: str) -> Iterator[HostCheck]:
    is_isolated = backend == "namespaces"
    checks = tuple(check for check in CHECKS if is_isolated or check.is_universal)
    failed = [
        (check, verdict)
        for check, verdict in run_checks(shared_sandbox(), checks)
        if verdict.outcome not in check.expected
    ]
    for topic, promise in _TOPICS.items():
        yield _topic_check(
            promise,
            [check for check in checks if check.topic == topic],
            [
                f"{check.name} ({verdict.outcome})"
                for check, verdict in failed
                if check.topic == topic
            ],
        )


def _topic_check(promise: str, checks: list[Check], failed: list[str]) -> HostCheck:
    held = f"{len(checks) - len(failed)} of {len(checks)} checks hold"
    detail = f"{held}; not: {', '.join(failed)}" if failed else held
    return HostCheck(promise, not failed and bool(checks), detail)

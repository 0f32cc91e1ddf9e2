"""Implements the contract that says whether this host's sandbox is safe and reliable."""

from __future__ import annotations

import platform
import socket
from collections.abc import Sequence

from crucible_infra import settings
from crucible_infra.errors import CrucibleError
from crucible_tasks.evaluation import HOST, BuildingBlock, HostCheck, HostReport, HostRequest
from crucible_tasks.verdict import Verdict
from crucible_workers.evaluate import shared_sandbox
from crucible_workers.sandbox.building_blocks import find_blocks
from crucible_workers.sandbox.self_check import CHECKS, Check, run_checks

_TOPICS = {
    "verdict": "verdicts cannot be forged",
    "files": "programs see no file of the host",
    "network": "programs reach no network",
    "kernel": "programs make no dangerous system call",
    "resources": "programs are kept to their limits",
    "aftermath": "programs leave nothing for the next one",
    "promises": "honest programs get honest verdicts",
}
#: what each backend is; only `process` is no wall
_WALLS = {
    "namespaces": "namespaces",
    "container": "a container per prison",
    "process": "process: NO isolation from model-written code",
}


@HOST.implement
def check_host(request: HostRequest) -> HostReport:
    """Judge every small attack and promise of the self-check, or only one harmless program."""
    host = socket.gethostname()
    backend = settings.current().sandbox_backend
    blocks = find_blocks(backend) if request.is_detailed else ()
    try:
        shared_sandbox().prove()
    except CrucibleError as error:
        return HostReport(host, (), problem=error.message, hint=error.hint, blocks=blocks)
    checks = () if request.is_quick else _self_checks(backend, is_detailed=request.is_detailed)
    return HostReport(host, (_isolation(backend), *_missing(blocks), *checks), blocks=blocks)


def _isolation(backend: str) -> HostCheck:
    wall = _WALLS.get(backend, backend)
    return HostCheck("sandbox", backend != "process", f"{wall}, kernel {platform.release()}")


def _missing(blocks: Sequence[BuildingBlock]) -> list[HostCheck]:
    """A sandbox that opens without something it needs would be a lie somewhere."""
    return [
        HostCheck(block.name, is_ok=False, detail=block.found)
        for block in blocks
        if block.is_needed and not block.is_there
    ]


def _self_checks(backend: str, *, is_detailed: bool) -> list[HostCheck]:
    is_isolated = backend != "process"
    checks = tuple(check for check in CHECKS if is_isolated or check.is_universal)
    judged = list(run_checks(shared_sandbox(), checks))
    if is_detailed:
        return [_check(check, verdict) for check, verdict in judged]
    return [_topic(topic, judged) for topic in _TOPICS]


def _check(check: Check, verdict: Verdict) -> HostCheck:
    is_held = verdict.outcome in check.expected
    found = f"{verdict.outcome}: {verdict.detail}" if verdict.detail else str(verdict.outcome)
    if not is_held:
        found += f" (holds when {' or '.join(sorted(check.expected))})"
    return HostCheck(check.name, is_held, found, check.topic, str(check.language))


def _topic(topic: str, judged: Sequence[tuple[Check, Verdict]]) -> HostCheck:
    ours = [(check, verdict) for check, verdict in judged if check.topic == topic]
    failed = [
        f"{check.name} ({verdict.outcome})"
        for check, verdict in ours
        if verdict.outcome not in check.expected
    ]
    held = f"{len(ours) - len(failed)} of {len(ours)} checks hold"
    detail = f"{held}; not: {', '.join(failed)}" if failed else held
    return HostCheck(_TOPICS[topic], not failed and bool(ours), detail)

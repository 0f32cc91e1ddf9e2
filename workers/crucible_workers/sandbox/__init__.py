"""Judging hostile programs: the strongest sandbox this host offers."""

from __future__ import annotations

from crucible_infra.errors import InvalidInput
from crucible_workers.sandbox.interface import Sandbox
from crucible_workers.sandbox.slots import SlotSandbox

__all__ = ["BACKENDS", "Sandbox", "open_sandbox"]

#: `process` is no security boundary and never chosen by itself
BACKENDS = ("namespaces", "container", "process")


def open_sandbox(backend: str, slots: int) -> SlotSandbox:
    """A sandbox that judges `slots` programs at once. Raises InvalidInput for an unknown name."""
    if backend not in BACKENDS:
        raise InvalidInput(
            f"no sandbox is called {backend}",
            hint=f"CRUCIBLE_SANDBOX is one of {', '.join(BACKENDS)}",
        )
    return SlotSandbox(backend, slots)

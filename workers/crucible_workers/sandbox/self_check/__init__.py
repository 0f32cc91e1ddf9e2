"""Small attacks and promises that every backend must withstand and keep."""

from __future__ import annotations

from crucible_workers.sandbox.self_check.aftermath import AFTERMATH
from crucible_workers.sandbox.self_check.check import Check, run_checks
from crucible_workers.sandbox.self_check.containment import FILES, KERNEL, NETWORK
from crucible_workers.sandbox.self_check.forgeries import FORGERIES
from crucible_workers.sandbox.self_check.javascript import JS_CHECKS
from crucible_workers.sandbox.self_check.limits import RESOURCES
from crucible_workers.sandbox.self_check.promises import PROMISES
from crucible_workers.sandbox.self_check.sources import SOURCES

__all__ = ["CHECKS", "Check", "run_checks"]

CHECKS = (
    *FORGERIES,
    *FILES,
    *NETWORK,
    *KERNEL,
    *RESOURCES,
    *AFTERMATH,
    *SOURCES,
    *PROMISES,
    *JS_CHECKS,
)

"""Patience: doing something again while a server is away, with a line in the log each time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from crucible_infra import log
from crucible_infra.errors import CrucibleError

Result = TypeVar("Result")


def patiently(
    action: Callable[[], Result],
    waits_seconds: Iterable[float],
    problems: tuple[type[CrucibleError], ...],
    event: str,
) -> Result:
    """Do it, and again while it raises one of these problems.

    Each time `event` is logged with the problem. Raises the problem when the waits are over.
    """
    for wait in waits_seconds:
        try:
            return action()
        except problems as error:
            log.warning(event, problem=error.message, wait_seconds=wait)
            time.sleep(wait)
    return action()

"""The wall guard: ends programs that sleep, and has patience with those that wait for a core."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from crucible_tasks.challenge import Limits

Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True)
class WallGuard:
    """How long a program may sleep: only sleepers ever meet it."""

    least_seconds: float = 20.0
    #: times the CPU limit
    factor: float = 10.0
    #: what a driver may take for its last word after its candidate is gone
    last_word_seconds: float = 20.0

    def seconds(self, limits: Limits) -> float:
        """The guard for one program."""
        return max(self.least_seconds, self.factor * limits.cpu_seconds)


def wait_unless_idle(
    look: Callable[[float], Seen], seconds: float, busy_seconds: Callable[[], float]
) -> Seen:
    """What `look` sees within its seconds, as long as idleness alone does not use them up.

    Returns what it saw last, so nothing when the guard speaks.
    """
    started = time.monotonic()
    left = seconds
    while True:
        seen = look(left)
        if seen:
            return seen
        # a program that waits for a core is no sleeper
        left = seconds + busy_seconds() - (time.monotonic() - started)
        if left <= 0:
            return seen


def busy_seconds(root: int) -> float:
    """CPU time used and waited for by what lives below a prison's two first processes.

    A program that is ready to run but finds every core taken is not idle. Linux counts both in
    `/proc/PID/task/TID/schedstat` (Documentation/scheduler/sched-stats); without it this is 0, and
    the guard is a plain wall clock.
    """
    zygotes = list(_children(root))
    return sum(_busy(child) for zygote in zygotes for child in _children(zygote))


def _busy(pid: int) -> float:
    seconds = sum(_busy(child) for child in _children(pid))
    for task in _entries(Path(f"/proc/{pid}/task")):
        with contextlib.suppress(OSError, ValueError):
            used, waited, _ = (task / "schedstat").read_text().split()
            seconds += (int(used) + int(waited)) / 1e9
    return seconds


def _children(pid: int) -> Iterator[int]:
    for task in _entries(Path(f"/proc/{pid}/task")):
        with contextlib.suppress(OSError):
            yield from map(int, (task / "children").read_text().split())


def _entries(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:
        return []

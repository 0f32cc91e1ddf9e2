"""Watches a child from its zygote: its CPU clock, when to look next, its burial."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import time
from typing import NamedTuple

from .line import NO_CPU_LIMIT

#: how long a program that used little CPU may go unwatched
_LONGEST_NAP_SECONDS = 0.25
_SHORTEST_NAP_SECONDS = 0.002


class Ending(NamedTuple):
    """How a child ended; the fields of `Report` of the same names, which it is unpacked into."""

    reason: str
    signal: int
    status: int
    cpu_seconds: float
    cpu_limit: float


def cpu_time(child: int) -> float:
    """CPU seconds of a child and its threads; 0 for a zombie."""
    try:
        # the kernel's id of another process' clock (MAKE_PROCESS_CPUCLOCK, CPUCLOCK_SCHED)
        return time.clock_gettime(((~child) << 3) | 2)
    except OSError:
        # another wait will find it
        return 0.0


def nap_seconds(left: float) -> float:
    """How long not to look at a child with that much CPU time left, should it use every core."""
    nap = left / (os.cpu_count() or 1)
    return min(max(nap, _SHORTEST_NAP_SECONDS), _LONGEST_NAP_SECONDS)


def bury(child: int, pidfd: int, reason: str, *, has_namespace: bool) -> Ending:
    """Kill what is left of a child, wait for it and close its `pidfd`.

    Args:
        child: forked by this process.
        pidfd: of it.
        reason: why it is ended here; "ended" when it did so by itself.
        has_namespace: whether what it forked ends with it; else its process group is killed.
    """
    limit = _cpu_limit(child, pidfd) if reason == "ended" else NO_CPU_LIMIT
    for send in (os.kill,) if has_namespace else (os.kill, os.killpg):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            send(child, signal.SIGKILL)
    os.close(pidfd)
    _, status, usage = os.wait4(child, 0)
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if reason != "ended" and number != signal.SIGKILL:
        # it was faster
        reason = "ended"
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0
    return Ending(reason, number, code, usage.ru_utime + usage.ru_stime, limit)


def _cpu_limit(child: int, pidfd: int) -> float:
    """The CPU limit a zombie had, which it still tells, if not to everybody."""
    os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOWAIT)
    with contextlib.suppress(PermissionError):
        limit = resource.prlimit(child, resource.RLIMIT_CPU)[1]
        return NO_CPU_LIMIT if limit == resource.RLIM_INFINITY else float(limit)
    return NO_CPU_LIMIT

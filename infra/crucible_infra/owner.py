"""Owner: the process a run belongs to, and whether it has ended.

A laptop's run is done by the process of its command, and nobody tells the database when that is
killed. The mark of a process holds what no later process shares: the host, the PID namespace (a
container's numbers mean nothing outside), the number, and when it was started (proc(5), field 22).
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

#: states in which a process is only waited for by its parent
_DEAD = "ZX"


def own_mark() -> str | None:
    """The mark of this process; None where the kernel does not tell."""
    number = os.getpid()
    started = _started(number)
    return None if started is None else f"{_place()} {number} {started}"


def has_ended(mark: str) -> bool:
    """Whether the process with this mark is known to be gone; False on any other host."""
    place, _, rest = mark.rpartition(" ")[0].rpartition(" ")
    if place != _place() or not rest.isdecimal():
        return False
    return str(_started(int(rest))) != mark.rpartition(" ")[2]


def _place() -> str:
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        namespace = "?"
    return f"{socket.gethostname()} {namespace}"


def _started(number: int) -> int | None:
    """Clock ticks between the kernel's start and the process'; None when there is no such."""
    try:
        text = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # the name in parentheses may hold anything
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in _DEAD else int(fields[19])

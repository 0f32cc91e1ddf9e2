"""The host's processes as /proc shows them: whose they are, below whom, in which namespaces."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Process:
    """What one status file says."""

    number: int
    parent: int
    user: int
    #: its number in every process namespace it is in, ours first
    numbers: tuple[int, ...]
    threads: int
    resident_kib: int
    #: whether it has any capability in its user namespace
    is_privileged: bool
    is_dead: bool

    @property
    def is_first(self) -> bool:
        """Whether its end is the end of a process namespace."""
        return len(self.numbers) > 1 and self.numbers[-1] == 1


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that none is overlooked."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def look_at(number: int) -> Process | None:
    """One process, None when it is gone."""
    try:
        text = Path(f"/proc/{number}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    said = dict(line.partition(":")[::2] for line in text.splitlines())
    return Process(
        number=number,
        parent=int(said["PPid"]),
        user=int(said["Uid"].split()[1]),
        numbers=tuple(map(int, said["NSpid"].split())),
        threads=int(said["Threads"]),
        # a zombie has no memory
        resident_kib=int(said.get("VmRSS", "0").split()[0]),
        is_privileged=int(said["CapEff"], 16) > 0,
        is_dead=said["State"].split()[0] in "ZX",
    )


def everybody() -> list[Process]:
    """The whole table; a race with births and deaths, as any look at it."""
    numbers = (int(place.name) for place in Path("/proc").iterdir() if place.name.isdigit())
    return [process for number in numbers if (process := look_at(number)) is not None]


def below(parent: int) -> list[Process]:
    """Every descendant, in the order of their numbers."""
    children: dict[int, list[Process]] = {}
    for process in everybody():
        children.setdefault(process.parent, []).append(process)
    found, waiting = [], [parent]
    while waiting:
        born = children.get(waiting.pop(), [])
        found += born
        waiting += [process.number for process in born]
    return sorted(found, key=lambda process: process.number)


def bury_orphans() -> None:
    """Reap adopted children that have ended; only for a process that has reaped its own."""
    for process in below(os.getpid()):
        if process.is_dead and process.parent == os.getpid():
            os.waitpid(process.number, 0)


def kill_if(number: int, expected: Process) -> bool:
    """SIGKILL for this very process, never for one that got its number since."""
    with contextlib.suppress(ProcessLookupError, FileNotFoundError), _handle(number) as handle:
        now = look_at(number)
        if now is not None and (now.numbers, now.parent) == (expected.numbers, expected.parent):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            return not now.is_dead
    return False


@contextlib.contextmanager
def _handle(number: int) -> Iterator[int]:
    handle = os.pidfd_open(number)
    try:
        yield handle
    finally:
        os.close(handle)

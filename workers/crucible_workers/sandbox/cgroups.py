"""Cgroups: memory and process limits over everything in a prison, where the host grants them.

A program's own limits hold for each of its processes; these hold for all of them together, and for
its file system and shared memory as well. They also tell who killed a program: the kernel counts
what it kills for memory, and an operator's kill is not counted.

A cgroup is locked by whoever made it, for as long as he lives. What is not locked is a left-over,
whatever process number its owner had and in whatever namespace.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import secrets
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from crucible_workers.sandbox.cgroup_places import PREFIX, find_places, leftovers

#: of the memory limit: page tables, sockets and the pages of a program that is just being removed
_TREE_FACTOR = 1.25
#: the zygote, and what it and its children read from disk
_TREE_ROOM_BYTES = 256 << 20
#: killed processes are gone in milliseconds; a loaded host may take a thousand times that
_EMPTYING_SECONDS = 5.0
_NAP_SECONDS = 0.005
#: somebody else's clean-up may take a cgroup between its making and its locking
_ATTEMPTS = 3


def tree_bytes(memory_mib: int) -> int:
    """The limit for a prison whose programs may use `memory_mib` each."""
    return int((memory_mib << 20) * _TREE_FACTOR) + _TREE_ROOM_BYTES


def open_cgroup(name: str, memory_bytes: int, pids: int) -> Cgroup | None:
    """A cgroup for one prison; None where this host grants none.

    Args:
        name: for people who look at the host; need not be unique.
        memory_bytes: of all processes together, their files in memory included.
        pids: processes and threads alive at once.
    """
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(OSError):
            cgroup = _open(name, memory_bytes, pids)
            if cgroup is not None:
                # prisons end with this process by themselves, directories do not
                atexit.register(cgroup.close)
            return cgroup
    return None


def _open(name: str, memory_bytes: int, pids: int) -> Cgroup | None:
    directories: dict[str, Path] = {}
    unique = f"{PREFIX}{name}-{secrets.token_hex(4)}"
    for place in find_places():
        # one controller is better than none
        with contextlib.suppress(OSError):
            directories[place.controller] = _made(place.directory / unique)
    if not directories:
        return None
    try:
        cgroup = Cgroup(directories)
        cgroup.limit(memory_bytes, pids)
    except OSError:
        for path in set(directories.values()):
            _remove(path)
        raise
    return cgroup


def remove_leftovers() -> int:
    """Remove the cgroups of dead workers with all that still runs in them; how many there were."""
    directories = {path for place in find_places() for path in leftovers(place)}
    return sum(_remove_unless_owned(path) for path in directories)


class Cgroup:
    """One cgroup, in one hierarchy or in two; use `open_cgroup`."""

    def __init__(self, directories: dict[str, Path]) -> None:
        self._directories = directories
        self._locks = [_lock(path) for path in set(directories.values())]

    @property
    def controllers(self) -> frozenset[str]:
        """What is limited: "memory", "pids" or both."""
        return frozenset(self._directories)

    def limit(self, memory_bytes: int, pids: int) -> None:
        """Change both limits; see `open_cgroup`. Raises OSError when more is in use."""
        if "memory" in self._directories:
            _limit_memory(self._directories["memory"], memory_bytes)
        if "pids" in self._directories:
            _write(self._directories["pids"] / "pids.max", pids)

    def add(self, pid: int) -> None:
        """Move a process here; those it forks from now on are born here. Raises OSError."""
        for path in set(self._directories.values()):
            _write(path / "cgroup.procs", pid)

    def oom_kills(self) -> int:
        """How many processes the kernel has killed here because memory ran out."""
        memory = self._directories.get("memory")
        if memory is None:
            return 0
        for name in ("memory.events", "memory.oom_control"):
            with contextlib.suppress(OSError):
                lines = (memory / name).read_text().splitlines()
                return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
        return 0

    def memory_bytes(self) -> int:
        """What is in use now; 0 without this controller."""
        memory = self._directories.get("memory")
        for name in ("memory.current", "memory.usage_in_bytes"):
            if memory is not None and (memory / name).exists():
                return int((memory / name).read_text())
        return 0

    def close(self) -> None:
        """Kill whatever is left here and remove the cgroup."""
        atexit.unregister(self.close)
        for path in set(self._directories.values()):
            _remove(path)
        for lock in self._locks:
            os.close(lock)
        self._locks.clear()


def _made(path: Path) -> Path:
    # version 2 has one directory for both controllers
    path.mkdir(exist_ok=True)
    return path


def _lock(path: Path) -> int:
    """Own a cgroup until this process ends. Raises OSError when somebody else does."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _limit_memory(path: Path, value: int) -> None:
    if (path / "memory.max").exists():
        _write(path / "memory.max", value)
        _write_if_there(path / "memory.swap.max", 0)
        return
    # the limit of memory and swap together may never be the lower one, not even on the way
    together = path / "memory.memsw.limit_in_bytes"
    _write_if_there(together, -1)
    _write(path / "memory.limit_in_bytes", value)
    _write_if_there(together, value)


def _remove_unless_owned(path: Path) -> bool:
    try:
        lock = _lock(path)
    except OSError:
        return False
    try:
        return _remove(path)
    finally:
        os.close(lock)


def _remove(path: Path) -> bool:
    """Kill everything in a cgroup until it can be removed; whether it was."""
    deadline = time.monotonic() + _EMPTYING_SECONDS
    while time.monotonic() < deadline:
        try:
            path.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            _kill(path)
            time.sleep(_NAP_SECONDS)
        else:
            return True
    return False


def _kill(path: Path) -> None:
    if (path / "cgroup.kill").exists():
        _write_if_there(path / "cgroup.kill", 1)
        return
    for pid in _members(path):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _members(path: Path) -> Iterable[int]:
    try:
        listed = map(int, (path / "cgroup.procs").read_text().split())
    except OSError:
        return ()
    # 0 stands for a process of a foreign namespace, and would kill our own group
    return [pid for pid in listed if pid > 0]


def _write(path: Path, value: int) -> None:
    path.write_text(str(value))


def _write_if_there(path: Path, value: int) -> None:
    if path.exists():
        _write(path, value)

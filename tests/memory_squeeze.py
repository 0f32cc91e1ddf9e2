"""A cgroup whose memory can be taken away, so that the kernel kills who is in it."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from dataclasses import dataclass
from pathlib import Path

from services import ServiceMissing

#: the dead leave a cgroup within moments, in seconds
_PATIENCE_SECONDS = 5.0

#: of the memory that is used, the least of which that will do
_SHARES = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class _Version:
    """Where a version of cgroups is mounted, and how it names things."""

    root: Path
    limit: str
    usage: str
    unlimited: str


_VERSIONS = (
    _Version(Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "-1"),
    _Version(Path("/sys/fs/cgroup"), "memory.max", "memory.current", "max"),
)


@dataclass(frozen=True, slots=True)
class MemoryGroup:
    """One cgroup; what a process takes after it was added counts."""

    _place: Path
    _version: _Version

    def add(self, process: int) -> None:
        """Count the memory of this process and of all it will start."""
        (self._place / "cgroup.procs").write_text(str(process))

    def squeeze(self) -> None:
        """Leave no room: whoever takes one more page is killed, if there is nothing to give back.

        To be repeated: the file cache goes first, which makes room again.
        """
        used = int((self._place / self._version.usage).read_text())
        for share in _SHARES:
            # below what cannot be given back the old version refuses
            with contextlib.suppress(OSError):
                (self._place / self._version.limit).write_text(str(int(used * share)))
                return

    def relax(self) -> None:
        """As much as anybody wants."""
        (self._place / self._version.limit).write_text(self._version.unlimited)

    def remove(self) -> None:
        """Remove it, when those who were in it are gone."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self._place.exists() and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                self._place.rmdir()
            time.sleep(0.02)


def memory_group() -> MemoryGroup:
    """A new cgroup without a limit. Raises ServiceMissing where none can be made."""
    name = f"crucible{os.getpid()}-{next(_numbers)}"
    for version in _VERSIONS:
        place = version.root / name
        with contextlib.suppress(OSError):
            place.mkdir()
            if (place / version.limit).exists():
                return MemoryGroup(place, version)
            place.rmdir()
    raise ServiceMissing("no memory controller of cgroups can be used here")

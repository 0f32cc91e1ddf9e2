"""Takes the memory of a process away, so that the kernel kills it: a cgroup with no room."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from services import ServiceMissing

#: less than an interpreter that does anything
_ROOM_BYTES = 1 << 20

#: a worker that does nothing takes no memory; after so long nobody waits for it to
PATIENCE_SECONDS = 8.0

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class _Kind:
    """A version of cgroups: where it is mounted, and which file limits memory."""

    root: Path
    limit: str


_KINDS = (
    _Kind(Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
    _Kind(Path("/sys/fs/cgroup"), "memory.max"),
)


def out_of_memory(child: subprocess.Popen[bytes]) -> bool:
    """Let the kernel kill this child for want of memory; returns whether it did.

    Raises ServiceMissing where there is no memory controller to be used.
    """
    place, kind = _make()
    try:
        (place / "cgroup.procs").write_text(str(child.pid))
        with contextlib.suppress(OSError):
            # refused as busy by the old version, which kills at the next page all the same
            (place / kind.limit).write_text(str(_ROOM_BYTES))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        return child.poll() == -signal.SIGKILL
    finally:
        _remove(place, kind)


def _make() -> tuple[Path, _Kind]:
    name = f"crucible{os.getpid()}-{next(_numbers)}"
    for kind in _KINDS:
        place = kind.root / name
        with contextlib.suppress(OSError):
            place.mkdir()
            if (place / kind.limit).exists():
                return place, kind
            place.rmdir()
    raise ServiceMissing("no memory controller of cgroups can be used here")


def _remove(place: Path, kind: _Kind) -> None:
    with contextlib.suppress(OSError):
        (place / kind.limit).write_text("-1" if "bytes" in kind.limit else "max")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while place.exists() and time.monotonic() < deadline:
        for number in (place / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                (kind.root / "cgroup.procs").write_text(number)
        # busy until the last of the dead is buried
        with contextlib.suppress(OSError):
            place.rmdir()
        time.sleep(0.05)

"""What judging may leave behind on a host, counted, so that two looks can be compared."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import process_table
from process_table import Process

#: host users that no account has; root's prisons use some of them
_FIRST_PRISON_USER = 0x70000000
_CGROUPS = Path("/sys/fs/cgroup")
_CGROUP_NAMES = "codecrucible-*"
_PLACES = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run/lock")
_SETTLING_SECONDS = 5.0

#: memory that is no leak: pages touched once more, a challenge larger than the last
_NOISE_SHARE = 0.15
_NOISE_KIB = 8 << 10


@dataclass(frozen=True, slots=True)
class Look:
    """One line of the leak table."""

    label: str
    #: below this process, orphans included
    processes: int
    threads: int
    #: processes of prison users that are not below this process any more
    strays: int
    descriptors: int
    #: of all prisons; without those that this user may not look into
    prison_descriptors: int
    mounts: int
    #: of all mount namespaces below this process together
    prison_mounts: int
    namespaces: int
    cgroups: int
    #: System V shared memory, semaphores and queues
    ipc: int
    files: int
    parent_kib: int
    #: the largest of the warm parents
    warm_kib: int
    #: the largest of what they forked: processes with a challenge loaded
    loaded_kib: int
    #: warm parents of the first look that are gone
    replaced: int


COUNTS = (
    "processes threads strays descriptors prison_descriptors mounts prison_mounts namespaces "
    "cgroups ipc files replaced"
).split()
MEMORY = ("parent_kib", "warm_kib", "loaded_kib")


class LeakWatch:
    """Looks at the host again and again; what was there before it began is not counted."""

    def __init__(self, directory: Path) -> None:
        """`directory` is where this process makes its temporary files, and nobody else."""
        process_table.adopt_orphans()
        self._directory = directory
        self._foreign_cgroups = set(_cgroups())
        self._foreign_files = set(self._files())
        self._first: list[Process] = []
        self.looks: list[Look] = []
        #: whose prisons are looked for all over the host
        self.workers = {os.getpid()}

    def look(self, label: str, expected: int | None = None) -> Look:
        """Count everything, once dying processes are gone.

        Args:
            label: the line's name.
            expected: how many processes there should be, if not as many as at the first look.
        """
        least = len(self._first) if expected is None else expected
        tree = _settled(least or None)
        if not self.looks:
            self._first = tree
        table = process_table.everybody()
        numbers = {process.number for process in tree}
        first = {process.number for process in self._first if _is_warm(process)}
        look = Look(
            label=label,
            processes=len(tree),
            threads=sum(process.threads for process in tree),
            strays=sum(1 for one in table if self._is_stray(one, numbers)),
            descriptors=_descriptors(os.getpid()),
            prison_descriptors=sum(_descriptors(number) for number in numbers),
            mounts=_mounts(os.getpid()),
            prison_mounts=_prison_mounts(tree),
            namespaces=len({link for number in numbers for _, link in _namespaces(number)}),
            cgroups=len(self.new_cgroups(numbers)),
            ipc=sum(_lines(f"/proc/sysvipc/{kind}") - 1 for kind in ("shm", "sem", "msg")),
            files=len(self.new_files()),
            parent_kib=_resident(os.getpid()),
            warm_kib=max((one.resident_kib for one in tree if _is_warm(one)), default=0),
            loaded_kib=max((one.resident_kib for one in tree if not _is_warm(one)), default=0),
            replaced=len(first - numbers) if expected is None else 0,
        )
        self.looks.append(look)
        return look

    def new_files(self) -> list[str]:
        """Files of ours that were not there at the start."""
        return sorted(set(self._files()) - self._foreign_files)

    def new_cgroups(self, numbers: set[int]) -> list[str]:
        """Groups that were not there at the start, and hold one of these or nobody."""
        return sorted(
            place
            for place in set(_cgroups()) - self._foreign_cgroups
            if not (members := _members(place)) or members & numbers
        )

    def _is_stray(self, process: Process, numbers: set[int]) -> bool:
        # two prison users for each prison, 256 for each worker process
        chosen = (process.user - _FIRST_PRISON_USER) // 256
        is_prison_s = chosen in {worker & 0xFFFF for worker in self.workers}
        return is_prison_s and process.number not in numbers

    def _files(self) -> Iterator[str]:
        yield from (str(place) for place in self._directory.rglob("*"))
        for place in map(Path, _PLACES):
            with contextlib.suppress(OSError):
                yield from (str(one) for one in place.iterdir() if _is_ours(one))


def grown(before: Look, after: Look) -> list[str]:
    """What there is more of, beyond the noise of memory; one sentence each."""
    counts = [name for name in COUNTS if getattr(after, name) > getattr(before, name)]
    memory = [
        name
        for name in MEMORY
        if getattr(after, name)
        > max(getattr(before, name) * (1 + _NOISE_SHARE), getattr(before, name) + _NOISE_KIB)
    ]
    return [
        f"{name.replace('_', ' ')}: {getattr(before, name)} {before.label}, "
        f"{getattr(after, name)} {after.label}"
        for name in (*counts, *memory)
    ]


def lines(looks: Sequence[Look]) -> Iterator[str]:
    """The table: a column for each look."""
    width = max(9, *(len(look.label) for look in looks)) + 1
    yield " " * 20 + "".join(f"{look.label:>{width}}" for look in looks)
    for name in (*COUNTS, *MEMORY):
        values = "".join(f"{getattr(look, name):>{width}}" for look in looks)
        yield f"{name.replace('_', ' '):20}{values}"


def _settled(least: int | None) -> list[Process]:
    """Our descendants, once there are no more than `least`, or once their number stands still."""
    deadline = time.monotonic() + _SETTLING_SECONDS
    while True:
        tree = process_table.below(os.getpid())
        if (least is not None and len(tree) <= least) or time.monotonic() > deadline:
            return tree
        time.sleep(0.1)
        if least is None and {one.number for one in tree} == {
            one.number for one in process_table.below(os.getpid())
        }:
            return tree


def _is_warm(process: Process) -> bool:
    """Whether this is a prison's outer or first process, and nothing forked by it."""
    return len(process.numbers) == 1 or (process.is_first and len(process.numbers) == 2)


def _is_ours(place: Path) -> bool:
    try:
        user = place.lstat().st_uid
    except FileNotFoundError:
        return False
    return user >= _FIRST_PRISON_USER or (user == os.geteuid() != 0)


def _descriptors(number: int) -> int:
    with contextlib.suppress(OSError):
        return len(list(Path(f"/proc/{number}/fd").iterdir()))
    return 0


def _mounts(number: int) -> int:
    with contextlib.suppress(OSError):
        return _lines(f"/proc/{number}/mountinfo")
    return 0


def _prison_mounts(tree: Sequence[Process]) -> int:
    """Each namespace once; that of a process we may not look into counts as its own."""
    one_of_each = {
        next(
            (link for name, link in _namespaces(one.number) if name == "mnt"), str(one.number)
        ): one
        for one in tree
    }
    return sum(_mounts(one.number) for one in one_of_each.values())


def _namespaces(number: int) -> Iterator[tuple[str, str]]:
    folder = Path(f"/proc/{number}/ns")
    with contextlib.suppress(OSError):
        for place in folder.iterdir():
            yield place.name, str(place.readlink())


def _cgroups() -> Iterator[str]:
    return (str(place) for place in _CGROUPS.rglob(_CGROUP_NAMES) if place.is_dir())


def _members(cgroup: str) -> set[int]:
    with contextlib.suppress(OSError):
        return set(map(int, Path(cgroup, "cgroup.procs").read_text().split()))
    return set()


def _lines(path: str) -> int:
    return len(Path(path).read_text().splitlines())


def _resident(number: int) -> int:
    process = process_table.look_at(number)
    return process.resident_kib if process is not None else 0

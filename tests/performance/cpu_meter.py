"""CPU time of a process and everything it ever started, by a cgroup of its own or by /proc."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

_CGROUPS = Path("/sys/fs/cgroup")
#: tenths of a second for the last process of a cgroup to disappear
_PATIENCE = 30
_TICKS = os.sysconf("SC_CLK_TCK")


class CpuMeter(Protocol):
    #: how it measures, for the reader of a table
    method: str

    def seconds(self) -> float:
        """CPU time so far."""
        ...

    def close(self) -> None: ...


def open_meter(pid: int) -> CpuMeter:
    """Meter this process; it must not have children yet."""
    for base, file, unit in _places():
        directory = base / f"crucible-measured-{pid}"
        try:
            directory.mkdir()
            (directory / "cgroup.procs").write_text(str(pid))
            return _CgroupMeter(directory, file, unit)
        except OSError:
            with suppress(OSError):
                directory.rmdir()
    return _TreeMeter(pid)


def machine_busy_seconds() -> float:
    """CPU time that all processors together have not been idle, the kernel's own work included."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    user, nice, system, _idle, _wait, interrupt, soft, _stolen = map(int, fields)
    return (user + nice + system + interrupt + soft) / _TICKS


def _places() -> list[tuple[Path, str, float]]:
    if (_CGROUPS / "cgroup.controllers").exists():
        line = Path("/proc/self/cgroup").read_text().strip().rpartition("0::/")[2]
        return [(_CGROUPS / line, "cpu.stat", 1e-6)]
    names = ("cpuacct", "cpu,cpuacct")
    return [(_CGROUPS / name, "cpuacct.usage", 1e-9) for name in names]


class _CgroupMeter:
    def __init__(self, directory: Path, file: str, unit: float) -> None:
        self.method = f"cgroup {file}"
        self._directory, self._file, self._unit = directory, file, unit

    def seconds(self) -> float:
        text = (self._directory / self._file).read_text()
        return int(text.split("\n", 1)[0].split()[-1]) * self._unit

    def close(self) -> None:
        for _ in range(_PATIENCE):
            with suppress(OSError):
                self._directory.rmdir()
                return
            # the last of its processes are still dying
            time.sleep(0.1)


class _TreeMeter:
    """Sums what lives below the process and what it has waited for; orphans are missed."""

    method = "process tree in /proc"

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def seconds(self) -> float:
        return sum_of_tree(self._pid, slice(11, 15)) / _TICKS

    def close(self) -> None: ...


def minor_faults(pid: int) -> int:
    """Those of a process, of what lives below it and of what these have waited for."""
    return sum_of_tree(pid, slice(7, 9))


def sum_of_tree(pid: int, fields: slice) -> int:
    """The sum of these fields of /proc/PID/stat, counted from the state, over a process tree."""
    parents, found = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                values = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(values[1])
                found[int(entry.name)] = sum(map(int, values[fields]))
    return sum(value for one, value in found.items() if _is_below(one, pid, parents))


def _is_below(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    while pid and pid != ancestor:
        pid = parents.get(pid, 0)
    return pid == ancestor

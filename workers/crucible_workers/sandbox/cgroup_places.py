"""Where this process may make cgroups: version 1 or 2, as the kernel and the host grant it.

Version 1 has a hierarchy per controller, and its own directory there takes children if it is
writable. Version 2 has one, and a cgroup that hands controllers to its children may hold no process
itself: where only this worker's family lives in it, the family moves to a leaf of its own;
else a cgroup beside ours will do, where the parent is handed to us (systemd's user slices). In a
container both are mounted read-only and there is no place.

Documentation: the kernel's admin-guide/cgroup-v1 and admin-guide/cgroup-v2.rst, "Delegation".
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CONTROLLERS = ("memory", "pids")
#: every cgroup of ours begins so
PREFIX = "codecrucible-"
#: the leaf that the worker itself moves to; never removed, because the worker lives in it
_OWN_LEAF = f"{PREFIX}worker"


@dataclass(frozen=True, slots=True)
class Place:
    """A directory in which cgroups with one controller can be made."""

    controller: str
    version: int
    directory: Path


@dataclass(frozen=True, slots=True)
class _Mount:
    version: int
    #: the cgroup that appears at `point`
    root: str
    point: str
    #: of version 1
    controllers: frozenset[str]


def find_places() -> tuple[Place, ...]:
    """A place for each controller that can be had, at most one each."""
    found = (_find_place(controller) for controller in CONTROLLERS)
    return tuple(place for place in found if place is not None)


def leftovers(place: Place) -> Iterator[Path]:
    """Cgroups that this or another worker made here, living or dead."""
    for path in place.directory.glob(f"{PREFIX}*"):
        if path.name != _OWN_LEAF:
            yield path


def _find_place(controller: str) -> Place | None:
    try:
        mounts = list(_mounts(Path("/proc/self/mountinfo").read_text()))
        paths = _own_paths(Path("/proc/self/cgroup").read_text())
    except OSError:
        return None
    for mount in mounts:
        own = own_directory(mount.root, mount.point, paths.get(_key(mount, controller)))
        if own is None:
            continue
        if mount.version == 1 and controller in mount.controllers and _takes_children(own):
            return Place(controller, 1, own)
        directory = _unified_directory(own, controller) if mount.version == 2 else None
        if directory is not None:
            return Place(controller, 2, directory)
    return None


def _key(mount: _Mount, controller: str) -> str:
    return "" if mount.version == 2 else controller


def _mounts(text: str) -> Iterator[_Mount]:
    """Cgroup file systems, of the lines of mountinfo (proc_pid_mountinfo(5))."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            _, _, _, root, point, *_ = before.split(" ")
            controllers = frozenset(options.split(",")) if kind == "cgroup" else frozenset[str]()
            yield _Mount(2 if kind == "cgroup2" else 1, root, point, controllers)


def _own_paths(text: str) -> dict[str, str]:
    """Our cgroup per controller; "" is version 2 (cgroups(7), /proc/pid/cgroup)."""
    paths = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    return paths


def own_directory(root: str, point: str, path: str | None) -> Path | None:
    """Where our cgroup `path` appears below a mount of the cgroup `root`; None when it does not."""
    if path is None or path.startswith("/.."):
        return None
    if root == "/":
        return Path(point + path)
    if path == root or path.startswith(f"{root}/"):
        return Path(point + path[len(root) :])
    return None


def _takes_children(directory: Path) -> bool:
    return os.access(directory, os.W_OK) and os.access(directory / "cgroup.procs", os.W_OK)


def _unified_directory(own: Path, controller: str) -> Path | None:
    """Our cgroup or its parent, where its children get the controller; enables that if it can."""
    if own.name == _OWN_LEAF:
        # we moved there ourselves, or a worker above us did
        own = own.parent
    if _takes_children(own) and (_hands_down(own, controller) or _enable(own, controller)):
        return own
    parent = own.parent
    if _takes_children(parent) and _hands_down(parent, controller):
        return parent
    return None


def _hands_down(directory: Path, controller: str) -> bool:
    return controller in _words(directory / "cgroup.subtree_control")


def _enable(own: Path, controller: str) -> bool:
    if controller not in _words(own / "cgroup.controllers"):
        return False
    for prepare in (None, _move_family):
        try:
            if prepare is not None:
                prepare(own)
            (own / "cgroup.subtree_control").write_text(f"+{controller}")
        except OSError:
            continue
        return True
    return False


def _move_family(own: Path) -> None:
    """Empty our cgroup by moving ourselves to a leaf. Raises OSError when others live in it."""
    members = [int(pid) for pid in _words(own / "cgroup.procs")]
    if not all(_is_family(pid) for pid in members):
        raise PermissionError(f"{own} holds processes of others")
    leaf = own / _OWN_LEAF
    leaf.mkdir(exist_ok=True)
    for pid in members:
        with contextlib.suppress(ProcessLookupError):
            (leaf / "cgroup.procs").write_text(str(pid))


def _is_family(pid: int) -> bool:
    """Whether a process is this one, above it or below it."""
    us = os.getpid()
    return pid > 0 and (pid in _ancestors(us) or us in _ancestors(pid))


def _ancestors(pid: int) -> list[int]:
    """A process and every one above it."""
    line = []
    while pid > 0:
        line.append(pid)
        try:
            # the name in parentheses may hold anything
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
    return line


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []

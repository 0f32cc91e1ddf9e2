"""The zygote's part where a container makes the walls: its own user, its own place, its own end.

The engine gives an empty network, a read-only root, a process namespace, limits for everything
together and three capabilities, which the zygote needs to become another user, to kill what that
user left and nothing else. Nothing can be mounted or unshared here, so what a namespace per program
does elsewhere is done by hand, and can be, because the zygote is the first process of its process
namespace and runs one program at a time: everything else in there is that program's and is killed
at once; and what it wrote is removed by a child that became its user.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import site
import socket
import sys
from collections.abc import Sequence
from typing import Any

from . import landlock
from .frames import ChannelClosed

#: where the host waits for the zygote, inside the container
DOOR = "/control"
#: where the engine mounts the writable place, and how large at most
PLACE = "/tmp"
PLACE_MIB = 64
_BALLAST = f"{PLACE}/.ballast"
_DEVICES = ("null", "zero", "full", "random", "urandom")
#: no program can have used this name
_MARK = secrets.token_hex(8)
#: when the engine maps few users, as for a user without privileges
_SPARE_USER = 1000


def main() -> None:
    """Connect to the host and become the zygote."""
    control = socket.socket(socket.AF_UNIX)
    control.connect(f"{DOOR}/socket")
    from .zygote import main as serve

    serve(control.detach())


def enter(config: dict[str, Any]) -> KeptBox:
    """Do what the engine could not; sets the programs' user in `config`.

    Raises StepFailed or OSError where the container is not as it was ordered.
    """
    sys.path[:] = config["path"] or _own_path()
    os.setgroups([])
    config["program_user"] = config["outside"] if _is_mapped(config["outside"]) else _SPARE_USER
    # an engine gives it the mode of the image's directory
    os.chmod(PLACE, 0o1777)
    # /dev is the engine's, and ours to write
    os.symlink(PLACE, "/dev/shm")
    return KeptBox(config["program_user"])


def restrict(config: dict[str, Any]) -> bool:
    """The wall before what a container shows of itself: /proc, /sys, /etc; needs landlock."""
    writable = (PLACE, *(f"/dev/{name}" for name in _DEVICES))
    targets = [target for _, target in config["binds"]] if config["path"] else ["/usr", "/lib"]
    return landlock.restrict(writable, [*targets, *sys.path])


class KeptBox:
    """The engine's one tmpfs, emptied after every program."""

    def __init__(self, user: int) -> None:
        self._user = user
        self.directory = PLACE
        self._room_mib = PLACE_MIB
        self._pristine = self._state()

    def resize(self, size_mib: int) -> None:
        """Leave programs that much room from now on; more than there is cannot be had."""
        if size_mib > PLACE_MIB:
            raise ChannelClosed(f"a container has {PLACE_MIB} MiB for files, not {size_mib}")
        if size_mib == self._room_mib:
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_BALLAST)
        if size_mib < PLACE_MIB:
            descriptor = os.open(_BALLAST, os.O_CREAT | os.O_WRONLY, 0)
            os.posix_fallocate(descriptor, 0, (PLACE_MIB - size_mib) << 20)
            os.close(descriptor)
        self._room_mib = size_mib
        self._pristine = self._state()

    def clean(self) -> None:
        """Kill what the last program left running and remove what it wrote."""
        kill_all()
        if self._state() == self._pristine:
            return
        self._as_the_user_empty()
        after = self._state()
        if after[:2] != self._pristine[:2]:
            raise ChannelClosed("a program left files that cannot be removed")
        self._pristine = after

    def _as_the_user_empty(self) -> None:
        child = os.fork()
        if child == 0:
            try:
                os.setresgid(self._user, self._user, self._user)
                os.setresuid(self._user, self._user, self._user)
                _empty(PLACE, self._user)
            finally:
                os._exit(0)
        os.waitpid(child, 0)

    @staticmethod
    def _state() -> list[int]:
        free = os.statvfs(PLACE)
        return [free.f_bfree, free.f_ffree, os.stat(PLACE).st_ctime_ns]


def kill_all() -> None:
    """End every other process of this process namespace, whose first one we are."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    # orphans are ours to bury
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _empty(place: str, user: int) -> None:
    """Remove everything of this user, whatever its modes say and however deep it is."""
    moved = 0
    while entries := [entry for entry in os.scandir(place) if _owner(entry) == user]:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            os.chmod(entry.path, 0o700)
            for inner in list(os.scandir(entry.path)):
                if not inner.is_dir(follow_symlinks=False):
                    os.unlink(inner.path)
                    continue
                # upwards instead of down: a path may be longer than any call takes
                os.chmod(inner.path, 0o700)
                moved += 1
                os.rename(inner.path, f"{place}/{_MARK}-{moved}")
            os.rmdir(entry.path)


def _owner(entry: os.DirEntry[str]) -> int:
    return entry.stat(follow_symlinks=False).st_uid


def _is_mapped(user: int) -> bool:
    with open("/proc/self/uid_map") as lines:
        ranges = [[int(word) for word in line.split()] for line in lines]
    return any(first <= user < first + count for first, _, count in ranges)


def _own_path() -> Sequence[str]:
    """Of the image's own Python, with the packages that the image was chosen for."""
    # the first is where this module lies
    return (*sys.path[1:], *site.getsitepackages())

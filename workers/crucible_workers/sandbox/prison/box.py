"""The one writable place of a prison, found empty by every program.

Mounting a file system per program costs more than most programs take, so one is used again for as
long as it is provably as it was: every inode and block free, and no change time of its directories
moved, which the kernel alone writes. A program that wrote anything costs the next one a new mount.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import Protocol

from . import isolation
from .frames import ChannelClosed
from .system_calls import StepFailed

#: the only directory a program can write, with what it needs inside
PATH = isolation.BOX
_RENEWED = b"renewed"
_DIRECTORIES = (PATH, f"{PATH}/tmp", f"{PATH}/shm")


class Box(Protocol):
    """What every backend gives its programs to write to."""

    directory: str

    def resize(self, size_mib: int) -> None:
        """Give programs that much room from now on."""

    def clean(self) -> None:
        """Make it as it was before the last program, which is dead."""


class MountedBox:
    """A tmpfs, mounted anew by the outer process, which alone may still mount."""

    def __init__(self, outer: socket.socket, size_mib: int) -> None:
        self.directory = f"{PATH}/tmp"
        self._outer = outer
        self._size_mib = size_mib
        self._renew()

    def resize(self, size_mib: int) -> None:
        """Give programs that much room from now on."""
        if size_mib != self._size_mib:
            self._size_mib = size_mib
            self._renew()

    def clean(self) -> None:
        """Make it as it was before the last program, which is dead."""
        if self._state() != self._pristine:
            self._renew()

    def _renew(self) -> None:
        try:
            self._outer.send(str(self._size_mib).encode())
            reply = self._outer.recv(1000)
        except OSError as error:
            raise ChannelClosed from error
        if reply != _RENEWED:
            raise ChannelClosed(reply.decode())
        self._pristine = self._state()

    @staticmethod
    def _state() -> list[int]:
        free = os.statvfs(PATH)
        return [free.f_bfree, free.f_ffree, *(os.stat(path).st_ctime_ns for path in _DIRECTORIES)]


class SharedBox:
    """A directory of the host, for the backend without walls."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def resize(self, size_mib: int) -> None:
        """Nothing bounds a directory."""

    def clean(self) -> None:
        """Remove what the last program left."""
        # needed by the backend without walls alone, and every fork would carry it
        import shutil

        for entry in os.scandir(self.directory):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                Path(entry.path).unlink(missing_ok=True)


def serve_renewals(inner: socket.socket) -> None:
    """In the outer process: mount an empty file system for each request, until the prison ends."""
    # an inner process that is killed takes its end with it, read or not
    with contextlib.suppress(OSError):
        while request := inner.recv(100):
            inner.send(_renewed(int(request)))


def _renewed(size_mib: int) -> bytes:
    try:
        isolation.mount_box(size_mib)
    except (StepFailed, OSError) as error:
        return str(error).encode()
    return _RENEWED

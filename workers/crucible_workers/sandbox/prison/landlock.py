"""Landlock: a second wall around files, TCP ports and signals, where the kernel has it.

It holds even if a mount, a namespace or a user mapping does not: what is not named here cannot be
opened for writing, made, renamed, removed or executed, whatever the file system's rules say. Which
rights a kernel knows is its ABI version (Linux 5.13 brings 1, 6.12 brings 6); unknown ones are left
out. Linux documentation: userspace-api/landlock.rst.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .system_calls import StepFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

# the same numbers on every architecture
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_RULE_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE = 1 << 0
_WRITE_FILE = 1 << 1
_READ_FILE = 1 << 2
_READ_DIR = 1 << 3
_TRUNCATE = 1 << 14
_IOCTL_DEV = 1 << 15
_LOOK = _EXECUTE | _READ_FILE | _READ_DIR
#: rights that a rule on a plain file or device may carry
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV

#: every right on files that an ABI version knows, as the number of lowest bits
_FILE_RIGHTS = ((1, 13), (2, 14), (3, 15), (5, 16))
_TCP_ABI, _TCP = 4, 0b11
#: abstract UNIX sockets and signals to processes outside
_SCOPES_ABI, _SCOPES = 6, 0b11
#: refusals go unlogged: a program is expected to try
_QUIET_ABI, _QUIET = 7, 1

_libc = ctypes.CDLL(None, use_errno=True)


def abi_version() -> int:
    """What this kernel offers; 0 without landlock or where it was not switched on at boot."""
    version: int = _libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    return max(version, 0)


def restrict(writable: Sequence[str], readable: Sequence[str] = ("/",)) -> bool:
    """Confine this process and those it forks from now on, for ever; False without landlock.

    Call it once in a zygote: children inherit it at no cost. It forbids every mount, so mounting is
    for another process, and what that one mounts later is covered if its mount point lies *below*
    a directory named here; a rule on the mount point itself is hidden by the mount.

    Args:
        writable: directories and devices for reading, writing and making files; paths that do not
            exist are passed over.
        readable: directories and files for reading and executing.

    Raises:
        StepFailed: landlock is there and refuses.
    """
    version = abi_version()
    if version == 0:
        return False
    rights = file_rights(version)
    with _ruleset(version) as ruleset:
        for path in readable:
            _allow(ruleset, path, _LOOK)
        for path in writable:
            # TTYs and disks answer to ioctl, and no program is given one
            _allow(ruleset, path, rights & ~(_IOCTL_DEV | _EXECUTE))
        _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        flags = _QUIET if version >= _QUIET_ABI else 0
        _checked("landlock_restrict_self", _libc.syscall(_RESTRICT_SELF, ruleset, flags))
    return True


def file_rights(version: int) -> int:
    """All rights on files of an ABI version, as a bit mask."""
    bits = max(count for since, count in _FILE_RIGHTS if since <= version)
    return (1 << bits) - 1


def ruleset_attributes(version: int) -> bytes:
    """What is denied unless allowed: `struct landlock_ruleset_attr` as that version knows it."""
    fields = [file_rights(version)]
    if version >= _TCP_ABI:
        fields.append(_TCP)
    if version >= _SCOPES_ABI:
        fields.append(_SCOPES)
    return struct.pack(f"={len(fields)}Q", *fields)


@contextmanager
def _ruleset(version: int) -> Iterator[int]:
    attributes = ruleset_attributes(version)
    result = _libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    descriptor = _checked("landlock_create_ruleset", result)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _OF_FILES
        # struct landlock_path_beneath_attr is packed
        rule = struct.pack("=Qi", rights, descriptor)
        result = _libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)
        _checked(f"landlock_add_rule {path}", result)
    finally:
        os.close(descriptor)


def _checked(step: str, result: int) -> int:
    if result < 0:
        raise StepFailed(step, ctypes.get_errno() or errno.EINVAL)
    return result

"""What the kernel offers a process here: every building block tried in a child of its own.

Run as `python -c 'from prison.offers import main; main()'`; prints one JSON object of the error
number per block, 0 where it works. Who may not make a namespace may still make it within a user
namespace, so that is tried second.
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
from collections.abc import Callable

from .system_calls import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
)

_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_MS_REC_PRIVATE = 16384 | (1 << 18)
#: a classic BPF program of one instruction: allow
_ALLOW_ALL = struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def main() -> None:
    """Try everything and print the findings."""
    os.write(1, json.dumps({name: _tried(trial) for name, trial in _TRIALS.items()}).encode())


def _tried(trial: Callable[[], None]) -> int:
    """The error number of a trial in a child."""
    child = os.fork()
    if child == 0:
        number = 0
        try:
            trial()
        except OSError as error:
            number = error.errno or 1
        finally:
            os._exit(number)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _unshare(flags: int) -> None:
    if _libc.unshare(flags) < 0:
        _checked(_libc.unshare(flags | CLONE_NEWUSER))


def _user_namespace() -> None:
    user, group = os.geteuid(), os.getegid()
    _checked(_libc.unshare(CLONE_NEWUSER))
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"0 {user} 1"),
        ("gid_map", f"0 {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _mounts() -> None:
    """What builds a root: nothing is propagated, and a file system of our own over another."""
    _unshare(CLONE_NEWNS)
    _checked(_libc.mount(None, b"/", None, ctypes.c_ulong(_MS_REC_PRIVATE), None))
    _checked(_libc.mount(b"x", b"/proc", b"tmpfs", ctypes.c_ulong(0), b"size=4k"))


def _no_new_privs() -> None:
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def _seccomp() -> None:
    _no_new_privs()
    buffer = ctypes.create_string_buffer(_ALLOW_ALL, len(_ALLOW_ALL))
    program = _Program(1, ctypes.addressof(buffer))
    _checked(_libc.prctl(_PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0))


def _checked(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


_TRIALS: dict[str, Callable[[], None]] = {
    "user namespace": _user_namespace,
    "mount namespace": lambda: _unshare(CLONE_NEWNS),
    "process namespace": lambda: _unshare(CLONE_NEWPID),
    "network namespace": lambda: _unshare(CLONE_NEWNET),
    "IPC namespace": lambda: _unshare(CLONE_NEWIPC),
    "UTS namespace": lambda: _unshare(CLONE_NEWUTS),
    "mounts of its own": _mounts,
    "no_new_privs": _no_new_privs,
    "seccomp filter": _seccomp,
}

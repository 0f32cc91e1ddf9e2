"""Which system calls a program may not make, as a seccomp filter.

A list of what is denied, each group with its reason, because what honest programs, numpy and the C
library need differs from host to host and grows; what they never need does not.
"""

from __future__ import annotations

import errno
import os
import platform
import struct
from dataclasses import dataclass
from functools import cache

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000


class StepFailed(Exception):
    """One building block is not to be had here."""

    def __init__(self, step: str, number: int) -> None:
        super().__init__(f"{step}: {os.strerror(number)}")


@dataclass(frozen=True)
class Numbers:
    """System call numbers of one architecture."""

    audit_arch: int
    capset: int
    mount_setattr: int
    pivot_root: int
    by_name: dict[str, int]


#: Ends the program: no honest answer to a coding challenge makes these calls.
_KILLED = (
    # the tracer's door to other processes
    "ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd "
    # a larger kernel surface behind new namespaces and mounts; `unshare` and `setns` see below
    "mount umount2 pivot_root chroot fsopen fsmount fsconfig fspick move_mount "
    "open_tree mount_setattr "
    # the kernel itself
    "bpf perf_event_open init_module finit_module delete_module kexec_load kexec_file_load reboot "
    "swapon swapoff acct quotactl settimeofday clock_settime clock_adjtime adjtimex syslog "
    # keys outlive the program and are shared between users
    "add_key request_key keyctl "
    # handles of files outside the mount namespace
    "open_by_handle_at name_to_handle_at"
).split()

#: Refused with ENOSYS: libraries try these and fall back.
_REFUSED = (
    # asynchronous system calls that pass this filter by
    "io_uring_setup io_uring_enter io_uring_register "
    # pages that no limit counts
    "memfd_create memfd_secret "
    # a known helper of kernel exploits
    "userfaultfd "
    # System V and POSIX queues: they would outlive the program in its IPC namespace
    "shmget shmat shmctl semget semop semctl semtimedop msgget msgsnd msgrcv msgctl mq_open "
    "mq_unlink "
    # flags in memory, which a filter cannot read; C libraries fall back to clone
    "clone3 "
    # memory policy and scheduling tricks against the neighbours
    "mbind set_mempolicy migrate_pages move_pages"
).split()

_X86_64 = Numbers(
    audit_arch=0xC000003E,
    capset=126,
    mount_setattr=442,
    pivot_root=155,
    by_name={
        "ptrace": 101,
        "process_vm_readv": 310,
        "process_vm_writev": 311,
        "kcmp": 312,
        "pidfd_getfd": 438,
        "unshare": 272,
        "setns": 308,
        "mount": 165,
        "umount2": 166,
        "pivot_root": 155,
        "chroot": 161,
        "fsopen": 430,
        "fsmount": 432,
        "fsconfig": 431,
        "fspick": 433,
        "move_mount": 429,
        "open_tree": 428,
        "mount_setattr": 442,
        "bpf": 321,
        "perf_event_open": 298,
        "init_module": 175,
        "finit_module": 313,
        "delete_module": 176,
        "kexec_load": 246,
        "kexec_file_load": 320,
        "reboot": 169,
        "swapon": 167,
        "swapoff": 168,
        "acct": 163,
        "quotactl": 179,
        "settimeofday": 164,
        "clock_settime": 227,
        "clock_adjtime": 305,
        "adjtimex": 159,
        "syslog": 103,
        "add_key": 248,
        "request_key": 249,
        "keyctl": 250,
        "open_by_handle_at": 304,
        "name_to_handle_at": 303,
        "io_uring_setup": 425,
        "io_uring_enter": 426,
        "io_uring_register": 427,
        "memfd_create": 319,
        "memfd_secret": 447,
        "userfaultfd": 323,
        "shmget": 29,
        "shmat": 30,
        "shmctl": 31,
        "semget": 64,
        "semop": 65,
        "semctl": 66,
        "semtimedop": 220,
        "msgget": 68,
        "msgsnd": 69,
        "msgrcv": 70,
        "msgctl": 71,
        "mq_open": 240,
        "mq_unlink": 241,
        "clone3": 435,
        "mbind": 237,
        "set_mempolicy": 238,
        "migrate_pages": 256,
        "move_pages": 279,
        "clone": 56,
        "socket": 41,
    },
)
_AARCH64 = Numbers(
    audit_arch=0xC00000B7,
    capset=91,
    mount_setattr=442,
    pivot_root=41,
    by_name={
        "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
        "pidfd_getfd": 438, "unshare": 97, "setns": 268, "mount": 40, "umount2": 39,
        "pivot_root": 41, "chroot": 51, "fsopen": 430, "fsmount": 432, "fsconfig": 431,
        "fspick": 433, "move_mount": 429, "open_tree": 428, "mount_setattr": 442, "bpf": 280,
        "perf_event_open": 241, "init_module": 105, "finit_module": 273, "delete_module": 106,
        "kexec_load": 104, "kexec_file_load": 294, "reboot": 142, "swapon": 224, "swapoff": 225,
        "acct": 89, "quotactl": 60, "settimeofday": 170, "clock_settime": 112,
        "clock_adjtime": 266, "adjtimex": 171, "syslog": 116, "add_key": 217, "request_key": 218,
        "keyctl": 219, "open_by_handle_at": 265, "name_to_handle_at": 264, "io_uring_setup": 425,
        "io_uring_enter": 426, "io_uring_register": 427, "memfd_create": 279, "memfd_secret": 447,
        "userfaultfd": 282, "shmget": 194, "shmat": 196, "shmctl": 195, "semget": 190,
        "semop": 193, "semctl": 191, "semtimedop": 192, "msgget": 186, "msgsnd": 189,
        "msgrcv": 188, "msgctl": 187, "mq_open": 180, "mq_unlink": 181, "clone3": 435,
        "mbind": 235, "set_mempolicy": 237, "migrate_pages": 238, "move_pages": 239, "clone": 220,
        "socket": 198,
    },
)  # fmt: skip

_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_ERRNO = 0x00050000
#: AF_UNIX, AF_INET, AF_INET6: a network namespace without interfaces makes them harmless
_FAMILIES = (1, 2, 10)
_X32_BIT = 0x40000000
_NAMESPACES = (
    CLONE_NEWNS
    | CLONE_NEWUTS
    | CLONE_NEWIPC
    | CLONE_NEWUSER
    | CLONE_NEWPID
    | CLONE_NEWNET
    | CLONE_NEWCGROUP
)

# offsets in struct seccomp_data (linux/seccomp.h); arguments are little-endian 64-bit words
_NUMBER, _ARCH, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24


def numbers() -> Numbers:
    """Those of this machine. Raises StepFailed on an architecture without a list."""
    machine = platform.machine()
    known = {"x86_64": _X86_64, "aarch64": _AARCH64}
    if machine not in known:
        raise StepFailed(f"seccomp on {machine}", errno.ENOSYS)
    return known[machine]


def _instruction(code: int, constant: int, jump_true: int = 0, jump_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, jump_true, jump_false, constant)


def _load(offset: int) -> bytes:
    return _instruction(0x20, offset)


def _return(value: int) -> bytes:
    return _instruction(0x06, value)


def _when_equal(constant: int, action: int) -> bytes:
    return _instruction(0x15, constant, 0, 1) + _return(action)


def _only_process_namespaces(number: int, argument: int) -> bytes:
    """For the zygote, which has no thread to lose; programs lack the capability it takes."""
    return (
        _instruction(0x15, number, 0, 4)
        + _load(argument)
        + _instruction(0x15, CLONE_NEWPID, 0, 1)
        + _return(_ALLOW)
        + _return(_KILL)
    )


@cache
def seccomp_filter(exceptions: tuple[str, ...] = ()) -> bytes:
    """The seccomp program: classic BPF over (architecture, number, first arguments).

    Args:
        exceptions: names of refused calls that pass.
    """
    architecture = numbers()
    known = architecture.by_name
    refused = [name for name in _REFUSED if name not in exceptions]
    parts = [
        _load(_ARCH),
        # a 32-bit call would carry other numbers past this filter
        _instruction(0x15, architecture.audit_arch, 1, 0) + _return(_KILL),
        _load(_NUMBER),
        _instruction(0x35, _X32_BIT, 0, 1) + _return(_KILL),
        *[_when_equal(known[name], _KILL) for name in _KILLED],
        *[_when_equal(known[name], _ERRNO | errno.ENOSYS) for name in refused],
        _only_process_namespaces(known["unshare"], _FIRST_ARGUMENT),
        _only_process_namespaces(known["setns"], _SECOND_ARGUMENT),
        # clone with a namespace flag, and sockets of other families
        _instruction(0x15, known["clone"], 0, 4)
        + _load(_FIRST_ARGUMENT)
        + _instruction(0x45, _NAMESPACES, 0, 1)
        + _return(_KILL)
        + _return(_ALLOW),
        _instruction(0x15, known["socket"], 0, 2 + len(_FAMILIES) * 2) + _load(_FIRST_ARGUMENT),
        *[_when_equal(family, _ALLOW) for family in _FAMILIES],
        _return(_ERRNO | errno.EAFNOSUPPORT),
        _return(_ALLOW),
    ]
    return b"".join(parts)

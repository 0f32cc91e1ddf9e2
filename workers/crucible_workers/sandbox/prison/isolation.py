"""Linux building blocks: namespaces, a minimal root, capabilities, seccomp, limits.

Every step is one system call or a few, through ctypes, because the standard library has no binding
for them before Python 3.12 and a prison carries nothing else. Kernel 5.12 or newer is needed
(`mount_setattr`; `setns` on a pidfd came with 5.8).
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
from dataclasses import dataclass
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_NEWCGROUP = 0x02000000

_MS_RDONLY = 1
_MS_NOSUID = 2
_MS_NODEV = 4
_MS_BIND = 4096
_MS_REC = 16384
_MS_PRIVATE = 1 << 18
_MNT_DETACH = 2
_AT_RECURSIVE = 0x8000

_PR_CAPBSET_DROP = 24
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_LAST_CAPABILITY = 63

#: the only directory a program can write, with what it needs inside
BOX = "/box"
_DEVICES = ("null", "zero", "full", "random", "urandom")

_libc = ctypes.CDLL(None, use_errno=True)


class StepFailed(Exception):
    """One building block is not to be had here."""

    def __init__(self, step: str, number: int) -> None:
        super().__init__(f"{step}: {os.strerror(number)}")


@dataclass(frozen=True)
class _Numbers:
    """System call numbers of one architecture."""

    audit_arch: int
    capset: int
    mount_setattr: int
    pivot_root: int
    by_name: dict[str, int]


def _call(step: str, result: int) -> int:
    if result < 0:
        raise StepFailed(step, ctypes.get_errno())
    return result


def unshare(flags: int, step: str) -> None:
    """Leave the namespaces that `flags` names for new ones."""
    _call(step, _libc.unshare(flags))


def join_pid_namespace(pidfd: int) -> None:
    """Have the next children born into this namespace again, so that it can be left anew."""
    _call("setns", _libc.setns(pidfd, CLONE_NEWPID))


def map_identity(inside: int, outside: int) -> None:
    """Map one user and group of this new user namespace, as its unprivileged creator may."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{inside} {outside} 1")
    Path("/proc/self/gid_map").write_text(f"{inside} {outside} 1")


def _mount(
    step: str, source: str | None, target: str, kind: str | None, flags: int, data: str = ""
) -> None:
    encoded = [text.encode() if text is not None else None for text in (source, target, kind)]
    _call(step, _libc.mount(*encoded, ctypes.c_ulong(flags), data.encode()))


def _make_read_only(target: str, flags: int = _AT_RECURSIVE, *, devices: bool = False) -> None:
    attributes = _MS_RDONLY | _MS_NOSUID | (0 if devices else _MS_NODEV)
    arguments = struct.pack("=QQQQ", attributes, 0, 0, 0)
    result = _libc.syscall(
        _numbers().mount_setattr, -100, target.encode(), flags, arguments, len(arguments)
    )
    _call("read-only mounts (mount_setattr)", result)


def build_root(binds: list[tuple[str, str]], masks: list[str]) -> None:
    """Make a new root of read-only binds, and let the host disappear behind it.

    Args:
        binds: pairs of a path on the host and its path inside.
        masks: directories inside that are hidden behind empty ones.
    """
    # /proc exists everywhere, nothing bound lies below it, and the prison shall not have it
    root = "/proc"
    _mount("private mounts", None, "/", None, _MS_REC | _MS_PRIVATE)
    _mount("new root (tmpfs)", "root", root, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=1m,mode=755")
    for source, target in binds:
        _bind(source, root + target)
    for target in masks:
        _mount("empty directory", "empty", root + target, "tmpfs", _MS_RDONLY, "size=4k,mode=555")
    _make_devices(root)
    os.mkdir(root + BOX)
    for link in ("/tmp", "/dev/shm"):
        os.symlink(f"{BOX}/{Path(link).name}", root + link)
    os.chdir(root)
    _call("pivot_root", _libc.syscall(_numbers().pivot_root, b".", b"."))
    _call("detach the host", _libc.umount2(b".", _MNT_DETACH))
    os.chdir("/")
    _make_read_only("/", 0, devices=True)


def _bind(source: str, target: str) -> None:
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        Path(target).touch()
    _mount(f"bind {source}", source, target, None, _MS_BIND | _MS_REC)
    _make_read_only(target)


def _make_devices(root: str) -> None:
    os.mkdir(f"{root}/dev")
    for name in _DEVICES:
        Path(f"{root}/dev/{name}").touch()
        _mount(f"/dev/{name}", f"/dev/{name}", f"{root}/dev/{name}", None, _MS_BIND)


def open_box(size_mib: int) -> None:
    """Mount this process' own empty file system, seen by nobody else, and go there."""
    unshare(CLONE_NEWNS, "a mount namespace per program")
    options = f"size={size_mib}m,nr_inodes=10000,mode=1777"
    _mount("private file system", "box", BOX, "tmpfs", _MS_NOSUID | _MS_NODEV, options)
    os.mkdir(f"{BOX}/tmp", 0o777)
    os.mkdir(f"{BOX}/shm", 0o777)
    os.chdir(f"{BOX}/tmp")


def set_limits(cpu_seconds: float, memory_mib: int, processes: int, file_mib: int) -> None:
    """Set this process' limits; its children inherit them.

    The CPU limit is only the kernel's safety net, one whole second above the measured one.
    """
    cpu = int(cpu_seconds) + 2
    memory = memory_mib << 20
    for kind, value in (
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_FSIZE, file_mib << 20),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))


def drop_privileges(inside: int) -> None:
    """Become user `inside` without any capability, for ever, behind the seccomp filter."""
    for capability in range(_LAST_CAPABILITY + 1):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break
    if os.getuid() != inside:
        os.setresgid(inside, inside, inside)
        os.setresuid(inside, inside, inside)
    header = struct.pack("=Ii", 0x20080522, 0)
    _call("drop capabilities", _libc.syscall(_numbers().capset, header, bytes(24)))
    _call("no_new_privs", _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    _install_filter()


#: Ends the program: no honest answer to a coding challenge makes these calls.
_KILLED = (
    # the tracer's door to other processes
    "ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd "
    # a larger kernel surface behind new namespaces and mounts
    "unshare setns mount umount2 pivot_root chroot fsopen fsmount fsconfig fspick move_mount "
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

_X86_64 = _Numbers(
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
_AARCH64 = _Numbers(
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
_ENOSYS = 38
_EPERM = 1
_EAFNOSUPPORT = 97
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
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16


def _numbers() -> _Numbers:
    machine = platform.machine()
    known = {"x86_64": _X86_64, "aarch64": _AARCH64}
    if machine not in known:
        raise StepFailed(f"seccomp on {machine}", _ENOSYS)
    return known[machine]


def _instruction(code: int, constant: int, jump_true: int = 0, jump_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, jump_true, jump_false, constant)


def _load(offset: int) -> bytes:
    return _instruction(0x20, offset)


def _return(value: int) -> bytes:
    return _instruction(0x06, value)


def _when_equal(constant: int, action: int) -> bytes:
    return _instruction(0x15, constant, 0, 1) + _return(action)


def _filter() -> bytes:
    """The seccomp program: classic BPF over (architecture, number, first argument)."""
    numbers = _numbers()
    known = numbers.by_name
    parts = [
        _load(_ARCH),
        # a 32-bit call would carry other numbers past this filter
        _instruction(0x15, numbers.audit_arch, 1, 0) + _return(_KILL),
        _load(_NUMBER),
        _instruction(0x35, _X32_BIT, 0, 1) + _return(_KILL),
        *[_when_equal(known[name], _KILL) for name in _KILLED],
        *[_when_equal(known[name], _ERRNO | _ENOSYS) for name in _REFUSED],
        # clone with a namespace flag, and sockets of other families
        _instruction(0x15, known["clone"], 0, 4)
        + _load(_FIRST_ARGUMENT)
        + _instruction(0x45, _NAMESPACES, 0, 1)
        + _return(_KILL)
        + _return(_ALLOW),
        _instruction(0x15, known["socket"], 0, 2 + len(_FAMILIES) * 2) + _load(_FIRST_ARGUMENT),
        *[_when_equal(family, _ALLOW) for family in _FAMILIES],
        _return(_ERRNO | _EAFNOSUPPORT),
        _return(_ALLOW),
    ]
    return b"".join(parts)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def _install_filter() -> None:
    code = _FILTER or _filter()
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(buffer))
    _call("seccomp", _libc.prctl(_PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0))


_FILTER = _filter() if platform.machine() in ("x86_64", "aarch64") else b""

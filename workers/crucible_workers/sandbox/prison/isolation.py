"""Linux building blocks: namespaces, a minimal root, capabilities, seccomp, limits.

Every step is one system call or a few, through ctypes, because the standard library has no binding
for them before Python 3.12 and a prison carries nothing else. Kernel 5.12 or newer is needed
(`mount_setattr`; `setns` on a pidfd came with 5.8).
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import struct
from pathlib import Path

from .system_calls import CLONE_NEWNS, CLONE_NEWPID, StepFailed, numbers, seccomp_filter

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

#: what usually stands behind the error of a refused namespace
_REASONS = {
    errno.ENOSPC: "a limit such as sysctl user.max_user_namespaces is used up",
    errno.EPERM: "forbidden, as by sysctl kernel.unprivileged_userns_clone, "
    "kernel.apparmor_restrict_unprivileged_userns or a container's seccomp profile",
    errno.ENOSYS: "not built into this kernel",
    errno.EINVAL: "not built into this kernel",
}

_libc = ctypes.CDLL(None, use_errno=True)


def _call(step: str, result: int) -> int:
    if result < 0:
        raise StepFailed(step, ctypes.get_errno())
    return result


def unshare(flags: int, step: str) -> None:
    """Leave the namespaces that `flags` names for new ones."""
    if _libc.unshare(flags) < 0:
        number = ctypes.get_errno()
        raise StepFailed(f"{step} ({_REASONS.get(number, 'unexpected')})", number)


def join_pid_namespace(pidfd: int) -> None:
    """Have the next children born into this namespace again, so that it can be left anew."""
    _call("setns", _libc.setns(pidfd, CLONE_NEWPID))


def map_identity(inside: int, user: int, group: int) -> None:
    """Map one user and group of this new user namespace, as its unprivileged creator may."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{inside} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{inside} {group} 1")


def _mount(  # noqa: PLR0913, PLR0917 -- the parameters of mount(2)
    step: str, source: str | None, target: str, kind: str | None, flags: int, data: str = ""
) -> None:
    encoded = [text.encode() if text is not None else None for text in (source, target, kind)]
    _call(step, _libc.mount(*encoded, ctypes.c_ulong(flags), data.encode()))


def _make_read_only(target: str, flags: int = _AT_RECURSIVE, *, devices: bool = False) -> None:
    attributes = _MS_RDONLY | _MS_NOSUID | (0 if devices else _MS_NODEV)
    arguments = struct.pack("=QQQQ", attributes, 0, 0, 0)
    result = _libc.syscall(
        numbers().mount_setattr, -100, target.encode(), flags, arguments, len(arguments)
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
    _call("pivot_root", _libc.syscall(numbers().pivot_root, b".", b"."))
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
        bound(kind, value)


def bound(kind: int, value: int) -> None:
    """Set one limit of this process, or keep a tighter one it has."""
    _, hard = resource.getrlimit(kind)
    least = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (least, least))


def drop_privileges(inside: int) -> None:
    """Become user `inside` without any capability, for ever, behind the seccomp filter."""
    for capability in range(_LAST_CAPABILITY + 1):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break
    if os.getuid() != inside:
        os.setresgid(inside, inside, inside)
        os.setresuid(inside, inside, inside)
    header = struct.pack("=Ii", 0x20080522, 0)
    _call("drop capabilities", _libc.syscall(numbers().capset, header, bytes(24)))
    _call("no_new_privs", _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    _install_filter()


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def _install_filter() -> None:
    code = seccomp_filter()
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(buffer))
    _call("seccomp", _libc.prctl(_PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0))

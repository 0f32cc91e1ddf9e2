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
import signal
import struct
import time
from pathlib import Path

from .system_calls import CLONE_NEWPID, StepFailed, numbers, seccomp_filter

_MS_RDONLY = 1
_MS_NOSUID = 2
_MS_NODEV = 4
_MS_NOATIME = 1024
_MS_BIND = 4096
_MS_REC = 16384
_MS_PRIVATE = 1 << 18
_MNT_DETACH = 2
_AT_RECURSIVE = 0x8000

_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_DROP = 24
_PR_SET_DUMPABLE = 4
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_LAST_CAPABILITY = 63

#: the only directory a program can write, with what it needs inside; below the one that landlock's
#: rule names, because a later mount hides a rule
WRITABLE = "/box"
BOX = f"{WRITABLE}/own"
#: what landlock, where the kernel has it, leaves writable
LANDLOCK_WRITABLE = (WRITABLE, "/dev/null", "/dev/zero", "/dev/full")
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
#: keeps the interpreter's lock, so that a forked child holds it
_python_libc = ctypes.PyDLL(None, use_errno=True)
#: made once: a child pays for every object it makes
_CAPSET_HEADER = struct.pack("=Ii", 0x20080522, 0)
_NO_CAPABILITIES = bytes(24)
_CLOCK_STEP_SECONDS = 0.012


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
    os.makedirs(root + BOX)
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


def mount_box(size_mib: int) -> None:
    """Mount an empty file system over the writable place, instead of the one that is there."""
    # fails when none is there yet, or somebody still sits in it, who keeps what he has
    _libc.umount2(BOX.encode(), _MNT_DETACH)
    options = f"size={size_mib}m,nr_inodes=4000,mode=1777"
    flags = _MS_NOSUID | _MS_NODEV | _MS_NOATIME
    _mount("private file system", "box", BOX, "tmpfs", flags, options)
    os.mkdir(f"{BOX}/tmp", 0o777)
    os.mkdir(f"{BOX}/shm", 0o777)
    # the kernel writes change times in steps; only a later one tells that something was written
    time.sleep(_CLOCK_STEP_SECONDS)


def limits_of(
    cpu_seconds: float, memory_mib: int, processes: int, file_mib: int
) -> list[tuple[int, int]]:
    """The limits of one program as `setrlimit` takes them, none above those of this process.

    The CPU limit is only the kernel's safety net, one whole second above the measured one.
    """
    wanted = (
        (resource.RLIMIT_CPU, int(cpu_seconds) + 2),
        (resource.RLIMIT_AS, memory_mib << 20),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_FSIZE, file_mib << 20),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    )
    return [(kind, _no_more_than_now(kind, value)) for kind, value in wanted]


def bound(kind: int, value: int) -> None:
    """Set one limit of this process, or keep a tighter one it has."""
    least = _no_more_than_now(kind, value)
    resource.setrlimit(kind, (least, least))


def _no_more_than_now(kind: int, value: int) -> int:
    _, hard = resource.getrlimit(kind)
    return value if hard == resource.RLIM_INFINITY else min(value, hard)


def confine_zygote(*exceptions: str) -> None:
    """What every child inherits and the zygote itself can live with, once and for all.

    A filter installed by each child would cost it more than the fork. Trusted code may need system
    calls that programs may not make: `exceptions` names them.
    """
    for capability in range(_LAST_CAPABILITY + 1):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break
    _call("no_new_privs", _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    _install_filter(seccomp_filter(exceptions))


def drop_privileges(inside: int) -> None:
    """Become user `inside` without any capability, for ever."""
    if os.getuid() != inside:
        os.setresgid(inside, inside, inside)
        os.setresuid(inside, inside, inside)
    _call("drop capabilities", _libc.syscall(numbers().capset, _CAPSET_HEADER, _NO_CAPABILITIES))


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that forked it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def fork() -> int:
    """Fork without the hooks of `os.fork`.

    `random` and `threading` register hooks that cost a child a hundred page faults. A zygote has
    one thread, so there is no lock to mend, and `random` starts the same in every program.
    """
    child: int = _python_libc.fork()
    if child < 0:
        raise StepFailed("fork", ctypes.get_errno())
    return child


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def _install_filter(code: bytes) -> None:
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(buffer))
    _call("seccomp", _libc.prctl(_PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0))

"""Measures the steps a program's judging is made of, each alone, in an interpreter without site.

    python -I -S kernel_steps.py < FILTER

FILTER is a seccomp program, or nothing. Prints one JSON object: names and microseconds of CPU time
(its own and its children's, which a neighbour's work does not lengthen much), medians of many.
Started by `microseconds.py`. System calls go through ctypes and nothing of the project is imported,
so that these stay what the machine charges, whatever the engine does with them.
"""

from __future__ import annotations

import ctypes
import gc
import json
import mmap
import os
import resource
import signal
import socket
import statistics
import struct
import sys
import time
from collections.abc import Callable
from functools import partial

#: about what a prison's warm parent holds
MODULES = (
    "abc array bisect cmath collections contextlib copy dataclasses datetime decimal enum "
    "fractions functools hashlib heapq io itertools json math operator queue random re "
    "statistics string textwrap threading time types typing"
).split()
REPEATS = 200
PAGE = mmap.PAGESIZE
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID = 0x20000, 0x10000000, 0x20000000
_SYS_CLONE, _SYS_CAPSET = {"x86_64": (56, 126), "aarch64": (220, 91)}[os.uname().machine]
_SET_SECCOMP, _SET_NO_NEW_PRIVS, _DROP_BOUNDING = 22, 38, 24
_BOX = b"/proc"

#: keeps the interpreter's lock during a call: a child of clone has no thread to give it to
_libc = ctypes.PyDLL(None, use_errno=True)

Step = Callable[[], object]


def main() -> None:
    code = sys.stdin.buffer.read()
    for name in MODULES:
        __import__(name)
    _unshare()
    gc.collect()
    gc.freeze()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    found = forks() | steps(code) | round_trips() | faults()
    print(json.dumps(found))


def _unshare() -> None:
    """A mount namespace to play in, and the right to make more."""
    flags = CLONE_NEWNS if os.getuid() == 0 else CLONE_NEWNS | CLONE_NEWUSER
    if _libc.unshare(flags) < 0:
        sys.exit(f"no mount namespace: {os.strerror(ctypes.get_errno())}")
    _libc.mount(None, b"/", None, ctypes.c_ulong((1 << 18) | 16384), None)


def _median_us(action: Callable[[], float], repeats: int = REPEATS) -> float:
    return round(1e6 * statistics.median(action() for _ in range(repeats)), 2)


def _spent() -> float:
    """CPU seconds of this process and of the children it has waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def _cloned(flags: int, step: Step | None = None) -> float:
    """What it takes from clone until the child, which takes one step, has been waited for."""
    began = _spent()
    child = _libc.syscall(_SYS_CLONE, flags | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        if step is not None:
            step()
        os._exit(0)
    os.waitpid(child, 0)
    return _spent() - began


def _forked() -> float:
    began = _spent()
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return _spent() - began


def _mount() -> None:
    options = b"size=64m,nr_inodes=10000,mode=1777"
    _libc.mount(b"box", _BOX, b"tmpfs", ctypes.c_ulong(6), options)


def forks() -> dict[str, float]:
    kinds: dict[str, Callable[[], float]] = {
        "fork": _forked,
        "clone": lambda: _cloned(0),
        "pid": lambda: _cloned(CLONE_NEWPID),
        "mount": lambda: _cloned(CLONE_NEWNS),
        "tmpfs": lambda: _cloned(CLONE_NEWNS, _mount),
        "kill": _killed,
    }
    # in turn, so that what else the machine does meets all of them
    rounds = [{name: kind() for name, kind in kinds.items()} for _ in range(REPEATS)]
    seen = {name: 1e6 * statistics.median(one[name] for one in rounds) for name in kinds}
    return {
        "fork, exit, wait (os.fork)": seen["fork"],
        "fork, exit, wait (bare clone)": seen["clone"],
        "new process namespace": seen["pid"] - seen["clone"],
        "new mount namespace": seen["mount"] - seen["clone"],
        "tmpfs mounted, torn down": seen["tmpfs"] - seen["mount"],
        "killed instead of exit": seen["kill"] - seen["pid"],
    }


def _killed() -> float:
    began = _spent()
    child = _libc.syscall(_SYS_CLONE, CLONE_NEWPID | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        signal.pause()
        os._exit(0)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return _spent() - began


def _in_child(step: Step) -> float:
    """CPU seconds a child of ours takes for one step."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        began = time.thread_time()
        step()
        os.write(writing, struct.pack("d", time.thread_time() - began))
        os._exit(0)
    os.waitpid(child, 0)
    (seconds,) = struct.unpack("d", os.read(reading, 8))
    os.close(reading)
    os.close(writing)
    return float(seconds)


def steps(code: bytes) -> dict[str, float]:
    header, none = struct.pack("=Ii", 0x20080522, 0), bytes(24)
    kinds: dict[str, Step] = {
        "drop 41 bounding capabilities": lambda: [
            _libc.prctl(_DROP_BOUNDING, number, 0, 0, 0) for number in range(41)
        ],
        "capset to none": lambda: _libc.syscall(_SYS_CAPSET, header, none),
        "8 rlimits": _limit,
        "session of its own": os.setsid,
        "close all descriptors": lambda: os.closerange(5, 65536),
    }
    if code:
        kinds["seccomp filter installed"] = lambda: install(code)
    found = {name: _median_us(partial(_in_child, step)) for name, step in kinds.items()}
    return found | (_inherited(code) if code else {})


def _limit() -> None:
    names = ("CPU", "AS", "NPROC", "FSIZE", "NOFILE", "CORE", "MEMLOCK", "MSGQUEUE")
    for name in names:
        kind = getattr(resource, f"RLIMIT_{name}")
        resource.setrlimit(kind, resource.getrlimit(kind))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def install(code: bytes) -> None:
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.addressof(buffer))
    _libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _libc.prctl(_SET_SECCOMP, 2, ctypes.byref(program), 0, 0)


def _inherited(code: bytes) -> dict[str, float]:
    """What a fork costs more when the parent has the filter already."""
    outside = _median_us(_forked)

    def measured() -> None:
        install(code)
        os.write(writing, struct.pack("d", _median_us(_forked)))

    reading, writing = os.pipe()
    _in_child(measured)
    (inside,) = struct.unpack("d", os.read(reading, 8))
    return {"seccomp filter inherited": inside - outside}


def round_trips() -> dict[str, float]:
    here = os.sched_getaffinity(0)
    others = set(range(os.cpu_count() or 1)) - here
    found = {
        "round trip, pipes, one core": _round_trip(*os.pipe(), *os.pipe(), here),
        "round trip, socket, one core": _socket_round_trip(here),
    }
    if others:
        found["round trip, pipes, two cores"] = _round_trip(*os.pipe(), *os.pipe(), others)
        found["round trip, socket, two cores"] = _socket_round_trip(others)
    return found


def _socket_round_trip(cores: set[int]) -> float:
    ours, theirs = (one.detach() for one in socket.socketpair())
    return _round_trip(theirs, os.dup(ours), ours, os.dup(theirs), cores)


def _round_trip(reading: int, asking: int, hearing: int, saying: int, cores: set[int]) -> float:
    """Ask over `asking`; a child on these cores reads `reading` and answers over `saying`.

    Wall time: what matters is how long a call waits.
    """
    child = os.fork()
    if child == 0:
        os.sched_setaffinity(0, cores)
        while os.read(reading, 64) != b"end":
            os.write(saying, b"x" * 64)
        os._exit(0)

    def once() -> float:
        began = time.perf_counter()
        os.write(asking, b"x" * 64)
        os.read(hearing, 64)
        return time.perf_counter() - began

    median = _median_us(once, 10 * REPEATS)
    os.write(asking, b"end")
    os.waitpid(child, 0)
    for number in (reading, asking, hearing, saying):
        os.close(number)
    return median


def faults() -> dict[str, float]:
    """Per fault: first writes, less the same writes again, and those of a fork's child."""
    pages = 500

    def touched(area: mmap.mmap) -> float:
        began = time.thread_time()
        for at in range(0, pages * PAGE, PAGE):
            area[at] = 1
        return (time.thread_time() - began) / pages

    def fresh() -> float:
        with mmap.mmap(-1, pages * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as area:
            return touched(area) - touched(area)

    area = mmap.mmap(-1, pages * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    again = min(touched(area) for _ in range(10))
    copied = [_in_child(lambda: touched(area)) / pages - again for _ in range(20)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
    for _ in range(20):
        _forked()
    bare = (resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt - before) / 20
    return {
        "page fault, new page": _median_us(fresh, 20),
        "page fault, copy of the parent's": 1e6 * statistics.median(copied),
        "faults, bare fork": bare,
    }


if __name__ == "__main__":
    main()

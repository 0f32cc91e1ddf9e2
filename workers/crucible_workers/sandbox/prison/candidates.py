"""The candidates' zygote: forks one child per program, watches it and reports how it ended."""

from __future__ import annotations

import _sitebuiltins
import builtins
import fcntl
import os
import select
import signal
import socket
import sys
import time
from typing import Any

from . import isolation, system_calls
from .candidate import Candidate
from .frames import ChannelClosed, receive_message, send_message
from .script import run_script

#: imported before the fork, so that no program pays for them
_PRELOADED = (
    "abc array bisect cmath collections contextlib copy dataclasses datetime decimal enum "
    "fractions functools hashlib heapq io itertools json math operator queue random re "
    "statistics string textwrap threading time types typing"
).split()
_CHANNEL = 3
#: closed before the program runs
_COMPLAIN = 4
#: how long a program that used little CPU may go unwatched
_LONGEST_NAP_SECONDS = 0.25
_SHORTEST_NAP_SECONDS = 0.002


def prepare() -> None:
    """Load what programs use, and give them what a script would find."""
    for name in _PRELOADED:
        __import__(name)
    for name in ("exit", "quit"):
        # the `site` module defines these, and it is left out with everybody's packages
        setattr(builtins, name, _sitebuiltins.Quitter(name, "the end of file"))
    for stream in (sys.stdout, sys.stderr):
        # a lone surrogate that a program prints is no reason to fail it
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def serve(control: socket.socket, config: dict[str, Any]) -> None:
    """One program after another, until the host hangs up."""
    own_namespace = os.pidfd_open(os.getpid()) if config["backend"] != "process" else None
    while True:
        message, descriptors = receive_message(control)
        if "stop" in message:
            # meant for a program that ended while this was on its way
            continue
        if own_namespace is not None:
            isolation.join_pid_namespace(own_namespace)
            isolation.unshare(system_calls.CLONE_NEWPID, "a process namespace per program")
        complaints, complain = os.pipe()
        child = os.fork()
        if child == 0:
            _become_candidate(message, [*descriptors, complain], config)
        for descriptor in (*descriptors, complain):
            os.close(descriptor)
        report = _watch(control, child, message["limits"]["cpu_seconds"])
        report["complaint"] = os.read(complaints, 1000).decode()
        os.close(complaints)
        send_message(control, report)


def _watch(control: socket.socket, child: int, cpu_limit: float) -> dict[str, Any]:
    """Wait until the program ends, used its CPU time, or the host has seen enough; then kill it."""
    pidfd = os.pidfd_open(child)
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(pidfd, select.POLLIN)
    # the kernel's clock id of another process' CPU time (MAKE_PROCESS_CPUCLOCK, CPUCLOCK_SCHED)
    clock = ((~child) << 3) | 2
    reason = "ended"
    while True:
        left = cpu_limit - _cpu_time(clock)
        if left <= 0:
            reason = "cpu"
            break
        nap = min(max(left / (os.cpu_count() or 1), _SHORTEST_NAP_SECONDS), _LONGEST_NAP_SECONDS)
        ready = poll.poll(nap * 1000)
        if ready:
            reason = "ended" if ready[0][0] == pidfd else "stopped"
            break
    _kill(child)
    os.close(pidfd)
    _, status, usage = os.wait4(child, 0)
    if reason == "stopped":
        receive_message(control)
    if reason == "stopped" and not (
        os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    ):
        reason = "ended"
    return {
        "reason": reason,
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        "status": os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
    }


def _cpu_time(clock: int) -> float:
    try:
        return time.clock_gettime(clock)
    except OSError:
        # already a zombie that another wait will find
        return 0.0


def _kill(child: int) -> None:
    """Kill the program and, without a process namespace of its own, its process group."""
    for send in (os.kill, os.killpg):
        try:
            send(child, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


def _become_candidate(
    message: dict[str, Any], descriptors: list[int], config: dict[str, Any]
) -> None:
    status = 1
    try:
        _arrange(descriptors)
        if _confined(message["limits"], config):
            status = _run_candidate(message)
    except ChannelClosed:
        status = 0
    finally:
        os._exit(status)


def _arrange(descriptors: list[int]) -> None:
    """Leave exactly stdin, stdout, stderr, the channel and the way to complain open."""
    *given, complain = descriptors
    channel, stdout, stderr, stdin = given if len(given) == 4 else (*given, given[1], -1)
    if stdin < 0:
        stdin = os.open("/dev/null", os.O_RDONLY)
    wanted = [stdin, stdout, stderr, channel, complain]
    # first away from the low numbers, or one dup2 would close what the next one needs
    copies = [fcntl.fcntl(number, fcntl.F_DUPFD, _COMPLAIN + 1) for number in wanted]
    for target, copy in enumerate(copies):
        os.dup2(copy, target)
    os.closerange(_COMPLAIN + 1, 65536)


def _confined(limits: dict[str, Any], config: dict[str, Any]) -> bool:
    """Give up every privilege, or complain to the zygote, out of the program's reach."""
    try:
        _confine(limits, config)
    except (system_calls.StepFailed, OSError, ValueError) as error:
        os.write(_COMPLAIN, str(error).encode())
        return False
    os.close(_COMPLAIN)
    return True


def _confine(limits: dict[str, Any], config: dict[str, Any]) -> None:
    # a session of its own, or `kill(0, …)` would reach the zygote
    os.setsid()
    if config["backend"] != "process":
        isolation.open_box(limits["file_mib"])
        isolation.set_limits(
            limits["cpu_seconds"], limits["memory_mib"], limits["processes"], limits["file_mib"]
        )
        isolation.drop_privileges(config["program_user"])
        return
    os.chdir(config["directory"])
    isolation.set_limits(limits["cpu_seconds"], limits["memory_mib"], 100_000, limits["file_mib"])


def _run_candidate(message: dict[str, Any]) -> int:
    _forget_ourselves()
    if message["style"] == "script":
        return run_script(message["source"], message["arguments"])
    program = Candidate(_CHANNEL, frozenset(message["classes"]))
    if not program.load(message["source"]):
        return 0
    if message["style"] == "shared":
        program.run_beside(message["tests"], message["nonce"])
    else:
        program.announce(message["names"])
        program.serve()
    return 0


def _forget_ourselves() -> None:
    """A program that imports `prison` shall not find it; this hides nothing it could not guess."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "prison"]:
        del sys.modules[name]
    sys.argv[:] = ["solution.py"]

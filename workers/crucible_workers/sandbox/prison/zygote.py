"""The warm parent in a prison: goes behind its walls, then serves the host in its role.

Started as `python -c 'from prison.zygote import main; main(...)'` with one inherited socket, the
control channel to the host. The first message configures the prison and brings the ends of the
slot's line; `{"open": true}` answers it.

A prison is two processes. The outer one stays outside the process namespace, keeps the right to
mount and passes on how the inner one ended; the inner one is the zygote proper.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import socket
import sys
from typing import Any

from . import container, isolation, landlock, system_calls
from .box import Box, MountedBox, SharedBox, serve_renewals
from .frames import ChannelClosed, receive_message, send_message

#: added to the exit status when a signal ended the inner process, as shells do
SIGNAL_STATUS = 128
_FIRST_BOX_MIB = 64


def main(descriptor: int) -> None:
    """Enter the prison and serve the host until it hangs up."""
    control = socket.socket(fileno=descriptor)
    try:
        config, line = receive_message(control)
        _serve(control, config, line)
    except ChannelClosed:
        os._exit(0)


def _serve(control: socket.socket, config: dict[str, Any], line: list[int]) -> None:
    # before its file disappears; the other role's would only make every fork dearer
    role = importlib.import_module(f".{config['role']}s", __package__)
    try:
        box = _enter(control, config, line)
        _restrict(config)
        role.confine(config)
    except (system_calls.StepFailed, ChannelClosed, OSError) as error:
        send_message(control, {"open": False, "reason": str(error)})
        os._exit(1)
    role.prepare()
    gc.collect()
    # frozen objects are not touched by the collector, so their pages stay shared after a fork
    gc.freeze()
    send_message(control, {"open": True})
    role.serve(control, config, box, line)


def _enter(control: socket.socket, config: dict[str, Any], line: list[int]) -> Box:
    os.umask(0)
    with contextlib.suppress(OSError):
        # a core may be taken from us at any time, which is no reason to fail
        os.sched_setaffinity(0, {config["core"]})
        # who is asked ahead answers a few times before the other end of the channel reads
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    if config["backend"] == "container":
        return container.enter(config)
    sys.path[:] = [*config["path"]]
    if config["backend"] == "process":
        return SharedBox(config["directory"])
    _prefer_to_die()
    # made once, before anything that needs undoing, and inherited by every fork
    system_calls.seccomp_filter()
    flags = (
        system_calls.CLONE_NEWNS
        | system_calls.CLONE_NEWNET
        | system_calls.CLONE_NEWIPC
        | system_calls.CLONE_NEWUTS
    )
    is_root = config["outside"] is not None
    if not is_root:
        isolation.unshare(flags | system_calls.CLONE_NEWUSER, "unprivileged user namespaces")
        isolation.map_identity(config["inside"], config["user"], config["group"])
    else:
        isolation.unshare(flags, "namespaces")
    isolation.build_root(config["binds"], config["masks"])
    if is_root:
        # the bound runtime may lie below a directory that only root can enter, so the mounts come
        # first and the root user is left behind after them
        isolation.unshare(system_calls.CLONE_NEWUSER, "user namespaces")
        send_message(control, {"map": os.getpid()})
        receive_message(control)
        os.setgroups([])
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        # the first one belongs to the user namespace outside, where nothing may be mounted now
        isolation.unshare(system_calls.CLONE_NEWNS, "mount namespaces")
    isolation.unshare(system_calls.CLONE_NEWPID, "process namespaces")
    return MountedBox(_become_first_process(control, line), _FIRST_BOX_MIB)


def _restrict(config: dict[str, Any]) -> None:
    """Raise the second wall around files, for every role alike."""
    if config["backend"] == "container":
        container.restrict(config)
    elif config["backend"] == "namespaces":
        landlock.restrict(isolation.LANDLOCK_WRITABLE)


def _prefer_to_die() -> None:
    """When the host runs out of memory, a prison shall go before the worker that opened it."""
    with open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")


def _become_first_process(control: socket.socket, line: list[int]) -> socket.socket:
    """Fork into the new process namespace; the outer process mounts boxes for the inner one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child = os.fork()
    if child == 0:
        ours.close()
        isolation.die_with_parent()
        return theirs
    for held in (theirs.fileno(), *line):
        os.close(held)
    control.close()
    serve_renewals(ours)
    _, status = os.waitpid(child, 0)
    # the host tells by it whether somebody killed the prison
    os._exit(SIGNAL_STATUS + os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0)

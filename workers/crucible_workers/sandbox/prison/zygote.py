"""The warm parent in a prison: goes behind its walls, then serves the host in its role.

Started as `python -c 'from prison.zygote import main; main(...)'` with one inherited socket, the
control channel to the host. The first message configures the prison; after `{"open": true}` each
message asks for one child.
"""

from __future__ import annotations

import gc
import importlib
import os
import socket
import sys
from typing import Any

from . import isolation, system_calls
from .frames import ChannelClosed, receive_message, send_message


def main(descriptor: int) -> None:
    """Enter the prison and serve the host until it hangs up."""
    control = socket.socket(fileno=descriptor)
    try:
        config, _ = receive_message(control)
        _serve(control, config)
    except ChannelClosed:
        os._exit(0)


def _serve(control: socket.socket, config: dict[str, Any]) -> None:
    # before its file disappears; the other role's would only make every fork dearer
    role = importlib.import_module(f".{config['role']}s", __package__)
    try:
        _enter(control, config)
    except (system_calls.StepFailed, OSError) as error:
        send_message(control, {"open": False, "reason": str(error)})
        os._exit(1)
    role.prepare()
    gc.collect()
    # frozen objects are not touched by the collector, so their pages stay shared after a fork
    gc.freeze()
    send_message(control, {"open": True})
    role.serve(control, config)


def _enter(control: socket.socket, config: dict[str, Any]) -> None:
    os.umask(0)
    sys.path[:] = [*config["path"]]
    if config["backend"] == "process":
        return
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
    isolation.unshare(system_calls.CLONE_NEWPID, "process namespaces")
    _become_first_process(control)


def _become_first_process(control: socket.socket) -> None:
    """Fork into the new process namespace; the outer process only waits for the inner one."""
    child = os.fork()
    if child == 0:
        return
    control.close()
    os.waitpid(child, 0)
    os._exit(0)

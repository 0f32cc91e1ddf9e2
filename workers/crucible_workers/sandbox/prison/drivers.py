"""The drivers' zygote: forks one process per challenge, which forks one driver per program."""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import socket
from typing import Any

from . import driver, isolation
from .frames import ChannelClosed, receive_message, send_message

_BOX_MIB = 64
#: room for the largest published tests and for the values they are given
_MEMORY_MIB = 8192


def prepare() -> None:
    """Load nothing: each challenge's process loads what its tests import."""


def serve(control: socket.socket, config: dict[str, Any]) -> None:
    """Fork one process per challenge; each serves its programs over a socket of its own."""
    if config["backend"] != "process":
        isolation.open_box(_BOX_MIB)
        isolation.drop_privileges(config["program_user"])
    # a candidate may return `range(10**11)` to a test that makes a list of it
    isolation.bound(resource.RLIMIT_AS, _MEMORY_MIB << 20)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, descriptors = receive_message(control)
        if os.fork() == 0:
            control.close()
            try:
                _serve_one_challenge(socket.socket(fileno=descriptors[0]), message)
            finally:
                os._exit(0)
        os.close(descriptors[0])


def _serve_one_challenge(control: socket.socket, message: dict[str, Any]) -> None:
    os.setsid()
    quiet = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(quiet, number)
    try:
        tests = driver.load(message)
    except driver.UnusableTests as error:
        send_message(control, {"loaded": False, "reason": str(error)})
        return
    send_message(
        control,
        {
            "loaded": True,
            "names": tests.names,
            "classes": sorted(tests.classes),
            "is_shared": tests.is_shared,
        },
    )
    gc.freeze()
    while True:
        try:
            _, descriptors = receive_message(control)
        except ChannelClosed:
            os.kill(0, signal.SIGKILL)
        if os.fork() == 0:
            control.close()
            channel, verdict = descriptors
            _report(verdict, tests.run(channel))
        for descriptor in descriptors:
            os.close(descriptor)


def _report(descriptor: int, verdict: list[Any]) -> None:
    """Write the verdict and end; the write end of this pipe exists only in this process."""
    try:
        os.write(descriptor, json.dumps(verdict).encode())
    finally:
        os._exit(0)

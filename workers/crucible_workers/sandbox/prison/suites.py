"""The zygote of a repository's tests: collects them once, then forks a process per challenge.

A repository is somebody's code like any other: it is imported and tested behind the same walls as
programs are, and never on the host.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from . import driver, drivers
from .box import Box
from .frames import receive_message, send_message
from .repository import RepositoryTests
from .suite import Suite

#: what a driver of challenges needs, and nothing else
confine = drivers.confine


def prepare() -> None:
    """Load nothing: what there is to load lies in the repository."""


def serve(
    control: socket.socket,
    config: dict[str, Any],  # noqa: ARG001 -- every role is served alike
    box: Box,  # noqa: ARG001
    line: list[int],
) -> None:
    """Collect the tests and say which; then work through requests, each in a process of its own."""
    message, _ = receive_message(control)
    quiet = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1):
        os.dup2(quiet, number)

    def attend(suite: Suite) -> None:
        send_message(control, {"tests": suite.names, "problems": suite.problems})
        drivers.fork_for_each(control, lambda own, request: _attend(suite, own, request, line))

    suite = Suite(message, attend)
    problem = "pytest collects nothing"
    try:
        suite.collect()
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    send_message(control, {"tests": [], "problems": [*suite.problems, problem]})


def _attend(suite: Suite, control: socket.socket, request: dict[str, Any], line: list[int]) -> None:
    if "survey" in request:
        _survey(suite, control, **request["survey"])
        return

    def load(message: dict[str, Any]) -> driver.Tests:
        if message["tests"]["type"] != "repository":
            return driver.load(message)
        try:
            return RepositoryTests(suite, message["tests"])
        except driver.UnusableTests:
            raise
        except Exception as error:
            raise driver.UnusableTests(f"{type(error).__name__}: {error}") from error

    drivers.serve_one_challenge(control, request, line, load)


def _survey(suite: Suite, control: socket.socket, first: int, *, is_traced: bool) -> None:
    for found in suite.surveyed(first, is_traced=is_traced):
        send_message(control, found)
    send_message(control, {"is_done": True})

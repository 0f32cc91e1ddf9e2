"""The host's side of the process that runs JavaScript tests."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any, Protocol

from crucible_infra.errors import SandboxBroken, UnusableTests
from crucible_tasks.challenge import Challenge, Limits, ScriptTests
from crucible_workers.sandbox.javascript.node_process import Launch, NodeProcess
from crucible_workers.sandbox.prison.frames import (
    ChannelClosed,
    is_readable,
    receive_frame,
    send_frame,
)

#: candidates' processes that one driver can talk to: Node takes no descriptors while it runs
_CHANNELS = 16
#: room for the largest published tests and for the values they are given
_LIMITS = Limits(memory_mib=4096)
_MOST_PRINTED = 1 << 40


class AnyDriver(Protocol):
    """What runs tests and has the last word on a program."""

    control: socket.socket
    printed: int

    def verdict(self) -> list[Any]:
        """Outcome and detail; waits for them, and raises ChannelClosed with its prison."""
        ...

    def speaks_within(self, seconds: float) -> bool:
        """Whether its verdict comes within that time."""
        ...


class Driver:
    """Loads a challenge's tests and runs them against one program after another."""

    def __init__(self, process: NodeProcess) -> None:
        self._process = process
        self._challenge: Challenge | None = None
        self._problem: str | None = None
        #: the candidates' ends of the channels that are still free
        self._free: list[tuple[int, socket.socket]] = []
        self._is_stale = False
        self.printed = 0
        self.control, theirs = socket.socketpair()
        ends = [theirs]
        try:
            for number in range(_CHANNELS):
                ours, candidates = socket.socketpair()
                ends.append(ours)
                self._free.append((number, candidates))
            channels = [end.fileno() for end in ends]
            launch = Launch("driver.js", _LIMITS, [str(_CHANNELS)], channels, is_for_one=False)
            process.start(launch)
        finally:
            for end in ends:
                end.close()

    def is_fit(self) -> bool:
        """Whether it can judge another program."""
        return self._process.is_running and bool(self._free) and not self._is_stale

    def load(self, challenge: Challenge) -> None:
        """Load the tests, unless they are. Raises UnusableTests."""
        if self._challenge is not challenge:
            assert isinstance(challenge.tests, ScriptTests)
            self._challenge = challenge
            self._ask(
                {
                    "prompt": challenge.prompt if challenge.prompt_is_code else "",
                    "entry_point": challenge.entry_point,
                    "source": challenge.tests.source,
                }
            )
            reply = self._answer()
            self._problem = None if reply["loaded"] else reply["reason"]
        if self._problem is not None:
            raise UnusableTests(f"the tests of {challenge.task_id}: {self._problem}")

    def connect(self, process: NodeProcess, way: str, limits: Limits) -> int:
        """Start a candidates' process on a channel of its own; the channel's number."""
        number, end = self._free.pop()
        with end:
            is_for_one = way == "alone"
            launch = Launch("candidate.js", limits, [way], [end.fileno()], is_for_one=is_for_one)
            process.start(launch)
        return number

    def attempt(self, source: str, channel: int) -> None:
        """Begin to judge a program."""
        self._ask({"source": source, "channel": channel})

    def verdict(self) -> list[Any]:
        """Outcome and detail; waits for them.

        "died" and a signal's number when what a program returned was too much for its reader.
        Raises ChannelClosed when the driver's prison is gone.
        """
        try:
            reply = self._answer()
        except ChannelClosed:
            return ["died", self._process.report().signal]
        self._is_stale = bool(reply["isStale"])
        self.printed = min(int(reply["printed"]), _MOST_PRINTED)
        return [reply["outcome"], reply["detail"]]

    def speaks_within(self, seconds: float) -> bool:
        """Whether its verdict comes within that time."""
        return is_readable(self.control, seconds)

    def close(self) -> None:
        """End its process, not its prison."""
        self.control.close()
        for _, end in self._free:
            end.close()
        self._free = []
        # a dead prison has ended it already
        with contextlib.suppress(ChannelClosed, OSError):
            self._process.stop()

    def _ask(self, message: dict[str, Any]) -> None:
        self.printed = 0
        send_frame(self.control.fileno(), json.dumps(message).encode())

    def _answer(self) -> dict[str, Any]:
        reply = json.loads(receive_frame(self.control.fileno()))
        if not isinstance(reply, dict):
            raise SandboxBroken("a driver spoke nonsense")
        return reply

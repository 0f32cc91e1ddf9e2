"""The host's side of the process that runs one file of a repository's tests."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any

from crucible_infra.errors import SandboxBroken
from crucible_tasks.challenge import Limits
from crucible_workers.sandbox.javascript.node_process import Launch, NodeProcess
from crucible_workers.sandbox.prison.frames import (
    ChannelClosed,
    is_readable,
    receive_frame,
    send_frame,
)

#: room for the repository, what it imports and its tests
LIMITS = Limits(memory_mib=4096)
_MOST_PRINTED = 1 << 40


class Suite:
    """Runs tests against one program, or to see what they call; implements AnyDriver."""

    def __init__(self, process: NodeProcess, script: str, message: dict[str, Any]) -> None:
        self._process = process
        self.printed = 0
        self.control, theirs = socket.socketpair()
        ours, self._program = socket.socketpair()
        with theirs, ours:
            channels = [theirs.fileno(), ours.fileno()]
            flags = [f"--test-reporter={process.script_url('reporter.js')}"]
            launch = Launch(script, LIMITS, flags=flags, channels=channels, is_for_one=False)
            process.start(launch)
        send_frame(self.control.fileno(), json.dumps(message).encode())

    def connect(self, process: NodeProcess, limits: Limits) -> None:
        """Start the program's process at the other end of its channel."""
        launch = Launch("placed.js", limits, channels=[self._program.fileno()])
        process.start(launch)
        self._program.close()

    def answer(self) -> dict[str, Any]:
        """What it says at its end; waits for that. Raises ChannelClosed when it says nothing."""
        reply = json.loads(receive_frame(self.control.fileno()))
        if not isinstance(reply, dict):
            raise SandboxBroken("a driver spoke nonsense")
        return reply

    def verdict(self) -> list[Any]:
        """Outcome and detail; waits for them; raises ChannelClosed with its prison."""
        try:
            reply = self.answer()
        except ChannelClosed:
            return ["died", self._process.report().signal]
        self.printed = min(int(reply["printed"]), _MOST_PRINTED)
        return [reply["outcome"], reply["detail"]]

    def speaks_within(self, seconds: float) -> bool:
        """Whether its last word comes within that time."""
        return is_readable(self.control, seconds)

    def close(self) -> None:
        """End its process, not its prison."""
        self.control.close()
        self._program.close()
        # a dead prison has ended it already
        with contextlib.suppress(ChannelClosed, OSError):
            self._process.stop()

"""The line to a candidates' zygote: order one program, stop it, hear how it ended.

Three parties share a slot's line: whoever drives the tests orders and stops; the child that waits
in the zygote takes the order itself, so that it was forked before anybody asked; the zygote watches
the child and reports. An order is one datagram, so a child that is killed while it waits leaves
nothing half read, and the program's source comes over the channel that the order brings.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .frames import ChannelClosed, is_readable

_REPORT_BYTES = 4096
#: a batch of programs ends then, so that its host can look after it
BATCH_SECONDS = 1.0
#: CPU seconds where no limit is known; 0 would be one that everything reaches
NO_CPU_LIMIT = 1e18
#: of a report on a program whose order was lost with it
ANY_ORDER = "?"
#: a complaint that blames neither the host nor a program
KILLED_WAITING = "children are killed before they get a program"
#: between the end of a channel and the end of the process behind it
_DYING_SECONDS = 0.5


@dataclass(frozen=True)
class Report:
    """How a program ended, as its zygote saw it."""

    #: the order it came by; empty when it could not even wait for one
    order: str
    #: "ended" by itself, "cpu" when it used its time, "done" on the driver's word, "stopped" by
    #: the host's wall guard
    reason: str
    #: 0 or the number of the signal that killed it
    signal: int
    status: int
    cpu_seconds: float
    #: the CPU limit it died under, which it may have lowered itself; huge when unknown
    cpu_limit: float
    #: why the prison could not confine it; empty when it did
    complaint: str


class Line:
    """The driving end."""

    def __init__(self, orders: socket.socket, reports: socket.socket) -> None:
        self._orders = orders
        self._reports = reports
        self._order = ""

    def order(self, descriptors: Sequence[int]) -> None:
        """Start a program on these descriptors: channel, stdout and, for scripts, stderr, stdin.

        Raises ChannelClosed when the zygote is gone.
        """
        # unique among all who ever drive this line, so that a late word stops no other program
        self._order = f"{time.monotonic_ns()}"
        with contextlib.suppress(BlockingIOError):
            # what a driver before us did not wait for
            while self._reports.recv(_REPORT_BYTES, socket.MSG_DONTWAIT):
                continue
        try:
            socket.send_fds(self._orders, [self._order.encode()], descriptors)
        except OSError as error:
            raise ChannelClosed from error

    def end(self, *, is_dying: bool = False) -> Report:
        """Have the program killed and say how it ended; a dying one may end by itself first.

        Raises ChannelClosed when the zygote is gone.
        """
        if not (is_dying and self.is_over(_DYING_SECONDS)):
            self.stop()
        return self.report()

    def stop(self) -> None:
        """Have the program killed; ignored when it has just ended."""
        try:
            self._reports.send(self._order.encode())
        except OSError as error:
            raise ChannelClosed from error

    def is_over(self, seconds: float) -> bool:
        """Whether the program ends within that time."""
        return is_readable(self._reports, seconds)

    def report(self) -> Report:
        """Wait for the end of the program. Raises ChannelClosed when the zygote is gone."""
        try:
            body = self._reports.recv(_REPORT_BYTES)
        except OSError as error:
            raise ChannelClosed from error
        if not body:
            raise ChannelClosed
        return Report(*json.loads(body))

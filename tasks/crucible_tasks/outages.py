"""Outages: model servers that do not answer now, as far as this process has noticed.

All threads that ask one server share what is known about it, so that an outage is waited for once
and not once per challenge. On a laptop the command that waits reads it from here and says so; a
cluster's worker logs it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Outage:
    """One server that has not answered since something failed; times on the monotonic clock."""

    #: scheme, host and port
    server: str
    began: float
    #: the last failure
    failed: float
    #: seconds it is given to come back
    patience_seconds: float
    #: whether nobody listens there, rather than somebody who answers nonsense
    is_unreachable: bool

    @property
    def lasted_seconds(self) -> float:
        """From the first failure to the last one."""
        return self.failed - self.began

    @property
    def is_hopeless(self) -> bool:
        """Whether it has lasted longer than it is given."""
        return self.lasted_seconds >= self.patience_seconds


class Outages:
    """The servers of one process that do not answer; safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, Outage] = {}

    def failed(self, server: str, patience_seconds: float, *, is_unreachable: bool) -> Outage:
        """Note a failure; returns the outage it belongs to."""
        now = self._clock()
        with self._lock:
            known = self._known.get(server)
            # nobody has asked for so long that the server may have been there in between
            if known is None or now - known.failed > max(patience_seconds, known.patience_seconds):
                known = Outage(server, now, now, patience_seconds, is_unreachable)
            self._known[server] = replace(
                known, failed=now, patience_seconds=patience_seconds, is_unreachable=is_unreachable
            )
            return self._known[server]

    def answered(self, server: str) -> None:
        """Note that it is there."""
        if server in self._known:
            with self._lock:
                self._known.pop(server, None)

    def now(self) -> tuple[Outage, ...]:
        """Every server that did not answer when it was last asked."""
        with self._lock:
            return tuple(self._known.values())


#: this process' own
OUTAGES = Outages()

"""Breaker: who is known to be away is not asked each time, and not forgotten either.

Of a router that falls back. Three failures in a row to reach a model open its circuit: for 30 s
nobody asks it. Then one request may try; while it does, nobody else does. An answer closes the
circuit, another failure opens it for twice as long, up to 5 minutes. A server that answers, however
badly, is not away: what it says is the request's business.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

#: failures in a row; one may be a server that is restarted
FAILURES = 3

#: seconds nobody asks, at first and at most
FIRST_REST = 30.0
LONGEST_REST = 300.0


@dataclass(slots=True)
class _Circuit:
    failures: int = 0
    #: seconds of the present or last rest; 0 while it was never open
    rest: float = 0.0
    #: on the clock
    rests_until: float = 0.0
    #: whether one request is trying after a rest
    is_tried: bool = False


class Breakers:
    """The circuits of one process, by model; safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._circuits: dict[str, _Circuit] = {}

    def may_ask(self, model: str) -> bool:
        """Whether to ask it; a yes after a rest is given to one, who must tell how it went."""
        with self._lock:
            circuit = self._circuits.get(model)
            if circuit is None or circuit.failures < FAILURES:
                return True
            if self._clock() < circuit.rests_until:
                return False
            circuit.is_tried = True
            # whoever was let through may never tell: after another rest the next one tries
            circuit.rests_until = self._clock() + circuit.rest
            return True

    def answered(self, model: str) -> None:
        """Note that it is there."""
        with self._lock:
            self._circuits.pop(model, None)

    def failed(self, model: str) -> None:
        """Note that it could not be reached."""
        with self._lock:
            circuit = self._circuits.setdefault(model, _Circuit())
            circuit.failures += 1
            # whoever asked before it opened may fail after it: that tells nothing new
            if circuit.failures == FAILURES or circuit.is_tried:
                circuit.is_tried = False
                circuit.rest = min(2 * circuit.rest or FIRST_REST, LONGEST_REST)
                circuit.rests_until = self._clock() + circuit.rest


#: this process' own
BREAKERS = Breakers()

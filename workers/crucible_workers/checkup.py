"""A checkup: canaries in every slot of a sandbox, judged by whoever has a slot to lend."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from crucible_workers.canaries import Canary, Complaint, find_complaint
from crucible_workers.sandbox.interface import Sandbox

#: canaries of one challenge each, judged one after the other by one lender
Share = Sequence[Sequence[Canary]]


class Checkup:
    """As many shares as there are slots, each for a slot of its own.

    Every thread that judges lends its slot for one of them, between two programs; shares for slots
    that nobody uses are left to the one who waits.

    Free slots are taken in turn. So where as many threads judge as there are slots, each of them
    meets the slot it has just given back, and on an idle host each slot is met exactly once.
    """

    def __init__(
        self, sandbox: Sandbox, shares: Iterable[Share], changed: threading.Condition
    ) -> None:
        self._sandbox = sandbox
        self._shares = deque(shares)
        self._changed = changed
        self._lenders: set[int] = set()
        #: shares being judged now
        self.under_way = 0
        #: time that slots were lent, in seconds
        self.lent_seconds = 0.0
        self.complaint: Complaint | None = None

    def lend(self) -> None:
        """Judge one share, if there is one left and this thread has not lent its slot before."""
        me = threading.get_ident()
        with self._changed:
            if me in self._lenders or not self._shares:
                return
            self._lenders.add(me)
            share = self._take()
        self._judge(share)

    def finish(self, has_free_slot: Callable[[], bool]) -> None:
        """Judge what nobody else does, and wait until all is judged; ends at a complaint."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_over() or self._may_take(has_free_slot))
                if self._is_over():
                    return
                share = self._take()
            self._judge(share)

    def _is_over(self) -> bool:
        return self.complaint is not None or not (self._shares or self.under_way)

    def _may_take(self, has_free_slot: Callable[[], bool]) -> bool:
        return bool(self._shares) and has_free_slot()

    def _take(self) -> Share:
        self.under_way += 1
        return self._shares.popleft()

    def _judge(self, share: Share) -> None:
        began = time.monotonic()
        complaint = None
        try:
            found = (find_complaint(self._sandbox, canaries) for canaries in share)
            complaint = next(filter(None, found), None)
        finally:
            with self._changed:
                self.under_way -= 1
                self.lent_seconds += time.monotonic() - began
                self.complaint = self.complaint or complaint
                self._changed.notify_all()

"""A Celery pool for workers of a cluster: when it stops, tasks get some time, and no more.

Celery's own thread pool waits for its tasks without end, so a worker that is asked to stop would
be killed in the middle by whoever asked, and its tasks would wait until it is missed. This one
stops waiting, and the worker hands back what is not done while it closes its connection.
"""

from __future__ import annotations

import threading
import time
from typing import ClassVar

from crucible_tasks.daemon_pool import TaskPool

#: Kubernetes kills after 30 s; the last verdicts get 10 s after this, and closing takes 2 s
DRAIN_SECONDS = 15.0

#: between looks whether somebody has lost patience
_LOOK_SECONDS = 0.1


class DrainingPool(TaskPool):
    """Threads whose tasks may end before they are left behind."""

    #: set when there is no more time
    has_no_time: ClassVar[threading.Event] = threading.Event()

    def wait(self) -> None:
        """Wait for running tasks until DRAIN_SECONDS are over, or somebody wants to stop now."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while any(thread.is_alive() for thread in self.threads):
            if self.has_no_time.is_set() or time.monotonic() > deadline:
                return
            time.sleep(_LOOK_SECONDS)

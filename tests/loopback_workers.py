"""`crucible worker` processes on this host, which are asked to end when a block ends."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from commandline import Crucible

#: a worker that is asked to end has so long, in seconds
_END_SECONDS = 60.0


@contextmanager
def workers(
    crucible: Crucible, *queues: tuple[str, int]
) -> Iterator[Sequence[subprocess.Popen[bytes]]]:
    """One process for each queue and the number of tasks it does at once, in this order."""
    children: list[subprocess.Popen[bytes]] = []
    try:
        for queue, threads in queues:
            words = ["worker", "--queues", queue, "--concurrency", str(threads), "--quiet"]
            children.append(crucible.start(*words))
        yield children
    finally:
        for child in children:
            child.send_signal(signal.SIGTERM)
        for child in children:
            child.communicate(timeout=_END_SECONDS)

"""Processes that take whatever CPU they get, as a neighbour on a shared host does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def busy_neighbours(count: int | None = None) -> Iterator[None]:
    """So many of them, one for each core by default, until the end."""
    wanted = os.cpu_count() or 1 if count is None else count
    children = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(wanted)]
    try:
        yield
    finally:
        for child in children:
            child.kill()
            child.wait()

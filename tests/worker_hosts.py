"""Real `crucible worker` processes whose Python loads something of a test's first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from commandline import PATIENCE_SECONDS, Crucible

TESTS = Path(__file__).resolve().parent


class Worker:
    """A worker, and what it has said so far."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self.child = child
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def said(self, text: str) -> bool:
        """Whether a line holds this text."""
        return any(text in line for line in self.lines)

    def until(self, text: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until it has said this."""
        assert until(lambda: self.said(text), seconds), "\n".join(self.lines)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for its end."""
        self.child.send_signal(number)
        code = self.child.wait(PATIENCE_SECONDS)
        self._reader.join(PATIENCE_SECONDS)
        return code

    def close(self) -> None:
        """Read its last words, and let go of its streams; it must have ended."""
        self._reader.join(PATIENCE_SECONDS)
        for stream in (self.child.stdout, self.child.stderr):
            assert stream is not None
            stream.close()

    def _read(self) -> None:
        assert self.child.stderr is not None
        for line in self.child.stderr:
            self.lines.append(line.decode().rstrip())


def until(condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> bool:
    """Wait until something holds; whether it does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@contextmanager
def working(
    crucible: Crucible, *words: str, loading: str = "import probe", **extra: str
) -> Iterator[Worker]:
    """A worker that serves from the first line of the block, killed with all it started."""
    folder = crucible.home / f"loaded-{time.monotonic_ns()}"
    folder.mkdir()
    # Python imports this module by itself when it starts
    (folder / "sitecustomize.py").write_text(loading)
    child = crucible.start("worker", *words, PYTHONPATH=python_path(folder), **extra)
    worker = Worker(child)
    try:
        worker.until("serving the ")
        yield worker
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            child.send_signal(signal.SIGTERM)
            child.wait(PATIENCE_SECONDS)
        worker.close()


SEND = """
import sys, probe
from crucible_tasks.sending import send
path, *marks = sys.argv[1:]
for mark in marks:
    text, _, seconds = mark.partition("=")
    send(probe.MARK.signature(probe.Mark(path, text, float(seconds or 0))))
"""


@dataclass(frozen=True, slots=True)
class Marks:
    """Tasks that leave a line in a file, sent to the evaluation queue."""

    crucible: Crucible
    path: Path

    def send(self, *marks: str) -> None:
        """Send `text=seconds` for each."""
        subprocess.run(
            [sys.executable, "-c", SEND, str(self.path), *marks],
            env={**self.crucible.environment, "PYTHONPATH": python_path()},
            check=True,
            timeout=PATIENCE_SECONDS,
        )

    def left(self) -> list[str]:
        """The lines, each with its process' number."""
        return self.path.read_text().splitlines() if self.path.exists() else []

    def texts(self) -> list[str]:
        """What was sent and is done."""
        return sorted(line.split()[0] for line in self.left())


def python_path(*first: Path) -> str:
    """Where a process of a test finds its modules."""
    inherited = os.environ.get("PYTHONPATH")
    return os.pathsep.join([*map(str, first), str(TESTS), *([inherited] if inherited else [])])

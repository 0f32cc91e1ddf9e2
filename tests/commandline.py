"""Runs the real `crucible` in a process of its own, on pipes or on a terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

#: a slow machine under load; a test that hangs says so itself
PATIENCE_SECONDS = 240.0

PROGRAM = (sys.executable, "-m", "crucible_api")


@dataclass(frozen=True, slots=True)
class Said:
    """What a command wrote, and its exit code."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Crucible:
    """Runs the program; keyword arguments add to its environment."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: str, **extra: str) -> Said:
        """Run it to its end, with pipes for all streams."""
        child = self.start(*words, **extra)
        out, err = child.communicate(timeout=PATIENCE_SECONDS)
        return Said(child.returncode, out.decode(), err.decode())

    def start(self, *words: str, **extra: str) -> subprocess.Popen[bytes]:
        """Start it; whoever started it ends it."""
        return subprocess.Popen(
            [*PROGRAM, *words],
            env={**self.environment, **extra},
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # so that a test can interrupt it with all its children, as a terminal does
            start_new_session=True,
            # this process has no threads of its own that could hold a lock
            preexec_fn=_with_default_signals,  # noqa: PLW1509
        )

    def on_terminal(self, *words: str, **extra: str) -> Said:
        """Run it with a terminal for stdout and stderr, which come back as one text in `err`."""
        mine, its = pty.openpty()
        child = subprocess.Popen(
            [*PROGRAM, *words],
            env={**self.environment, "TERM": "xterm-256color", **extra},
            cwd=self.home,
            stdin=its,
            stdout=its,
            stderr=its,
        )
        os.close(its)
        shown = _read_all(mine)
        os.close(mine)
        return Said(child.wait(PATIENCE_SECONDS), "", shown.decode())


def at_home(home: Path, **extra: str) -> Crucible:
    """The program with its results in this directory, and little else of the environment."""
    names = ("PATH", "LANG", "PYTHONPATH")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return Crucible(home, {**kept, "HOME": str(home), "CRUCIBLE_HOME": str(home), **extra})


def _with_default_signals() -> None:
    # a test run in the background of a script has inherited an ignored SIGINT
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def _read_all(terminal: int) -> bytes:
    chunks = []
    try:
        while chunk := os.read(terminal, 4096):
            chunks.append(chunk)
    except OSError:
        # Linux ends a terminal whose other side is closed with EIO
        pass
    return b"".join(chunks)

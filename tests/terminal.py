"""A real terminal around a real program: keys go in, and what its screen shows comes out."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

import pyte

#: a slow machine under load
_PATIENCE_SECONDS = 30.0

CTRL_C, CTRL_D, ENTER, ALT_ENTER = "\x03", "\x04", "\r", "\x1b\r"


class Terminal:
    """Runs a program on a terminal of 80 columns, with so many rows that nothing scrolls away."""

    def __init__(
        self, words: tuple[str, ...], environment: Mapping[str, str], directory: Path
    ) -> None:
        self._screen = pyte.Screen(80, 200)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._has_changed = threading.Event()
        #: every byte, as the program wrote it
        self.written = b""
        self._end, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
        self._child = subprocess.Popen(
            words,
            env={"TERM": "xterm-256color", **environment},
            cwd=directory,
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
            # Ctrl-C reaches whoever has the terminal
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        os.close(its)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def shown(self) -> str:
        """The screen's text."""
        with self._lock:
            return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self._end, text.encode())

    def say(self, line: str, *expected: str) -> None:
        """Type a line when the program asks for one, and wait for what it brings."""
        self.wait_for_prompt()
        before = len(self.shown)
        self.type(line + ENTER)
        for text in expected:
            self.wait_for(text, before)

    def wait_for_prompt(self) -> None:
        """Wait until the last line asks for something."""
        self._wait(lambda: self.shown.splitlines()[-1:] == [">"], "a prompt")

    def wait_for(self, text: str, start: int = 0) -> None:
        """Wait until the screen shows a text."""
        self._wait(lambda: text in self.shown[start:], repr(text))

    def wait_for_end(self) -> int:
        """Wait until the program has ended; its exit code."""
        code = self._child.wait(_PATIENCE_SECONDS)
        self._reader.join(_PATIENCE_SECONDS)
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child.poll() is None:
            self._child.kill()
            self._child.wait()
        self._reader.join(_PATIENCE_SECONDS)
        os.close(self._end)

    def _wait(self, is_there: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        self._has_changed.set()
        while True:
            changed = self._has_changed.wait(deadline - time.monotonic())
            assert changed, f"no {what} on the screen:\n{self.shown}"
            self._has_changed.clear()
            if is_there():
                return

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._end, 65536)
            except OSError:
                # Linux ends a terminal whose other side is closed with EIO
                return
            if not piece:
                return
            self.written += piece
            with self._lock:
                self._stream.feed(piece)
            self._has_changed.set()
            # prompt_toolkit asks where the cursor is
            if b"\x1b[6n" in piece:
                os.write(self._end, b"\x1b[1;1R")

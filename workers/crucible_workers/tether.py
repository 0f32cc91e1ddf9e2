"""Runs a command that dies with the process that started it: `python -m … PARENT COMMAND…`.

A worker that is killed cannot end what it has started, and a training left alone would hold its
GPU, beside the one that takes its place. Linux kills it in the same moment. What the command is
replaces this process, so signals and the exit code are the command's own.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import NoReturn

_PR_SET_PDEATHSIG = 1


def main(words: list[str]) -> NoReturn:
    """Become the command, unless the parent (a process id) is dead already."""
    parent, *command = words
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 -- our own command


if __name__ == "__main__":
    main(sys.argv[1:])

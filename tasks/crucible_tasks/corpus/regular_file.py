"""Reads a file of a tree nobody vouches for: only a regular one, never more than so many bytes."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from crucible_tasks.corpus.report import Reason


@dataclass(frozen=True, slots=True)
class Unread:
    """Why a file was not read."""

    reason: Reason
    detail: str = ""


def read_regular(path: Path, most_bytes: int) -> bytes | Unread:
    """The file's content, or why there is none.

    No symbolic link is followed and no FIFO waited for, whatever happened to the file since the
    directory was listed; a file may also grow while it is read.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return Unread(Reason.UNREADABLE, error.strerror or "")
    try:
        with os.fdopen(number, "rb") as file:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                return Unread(Reason.NOT_A_FILE)
            content = file.read(most_bytes + 1)
    except OSError as error:
        return Unread(Reason.UNREADABLE, error.strerror or "")
    if len(content) > most_bytes:
        return Unread(Reason.TOO_LARGE, f"more than {most_bytes} bytes")
    return content

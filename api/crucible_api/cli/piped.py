"""What is piped into a command: read when there is something, and never waited for in silence.

A program that starts others often leaves them an open pipe into which nobody writes. So where a
prompt was given, a pipe that stays silent is named after two seconds and refused after sixty:
dropping it could drop what the prompt is about.
"""

from __future__ import annotations

import os
import select
import stat
import time
from dataclasses import dataclass

from crucible_api.cli.output import Voice
from crucible_infra.errors import InvalidInput

#: of standard input
_NUMBER = 0

#: bytes read at once
_PIECE = 65536


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds of silence until the user is told, and until the command gives up."""

    hint: float = 2.0
    refusal: float = 60.0


def is_open(number: int = _NUMBER) -> bool:
    """Whether a pipe, a file or a socket is there; a terminal and /dev/null hold no text."""
    try:
        mode = os.fstat(number).st_mode
    except OSError:
        # closed by the shell: `<&-`
        return False
    return stat.S_ISREG(mode) or _may_be_silent(mode)


def read(
    limit: int,
    voice: Voice,
    *,
    is_patient: bool,
    number: int = _NUMBER,
    waits: Waits = Waits(),
) -> bytes:
    """All of it. Raises InvalidInput when it is too long or, unless patient, stays silent."""
    if _may_be_silent(os.fstat(number).st_mode):
        _await_first_byte(number, voice, waits, is_patient=is_patient)
    found = bytearray()
    while piece := os.read(number, _PIECE):
        found += piece
        if len(found) > limit:
            raise InvalidInput(
                f"stdin has more than {limit} bytes", hint="send less, or raise --max-stdin"
            )
    return bytes(found)


def _may_be_silent(mode: int) -> bool:
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _await_first_byte(number: int, voice: Voice, waits: Waits, *, is_patient: bool) -> None:
    poll = select.poll()
    poll.register(number, select.POLLIN | select.POLLHUP)
    began = time.monotonic()
    if poll.poll(waits.hint * 1000):
        return
    voice.announce(
        "waiting for piped input (Ctrl-C stops; </dev/null or --no-stdin if nothing is piped)"
    )
    left = None if is_patient else max(0.0, waits.refusal - (time.monotonic() - began)) * 1000
    if not poll.poll(left):
        raise InvalidInput(
            f"nothing was piped for {waits.refusal:g} s",
            hint="--no-stdin or </dev/null if nothing is piped, --stdin waits for ever",
        )

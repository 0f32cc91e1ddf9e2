"""Ctrl-C and SIGTERM: the first one stops cleanly, the second one exits at once."""

from __future__ import annotations

import os
import signal
from types import FrameType

from crucible_api.cli.output import Voice

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_received: list[int] = []


def install() -> None:
    """Turn SIGINT and SIGTERM into KeyboardInterrupt, which carries the signal's number."""
    for number in SIGNALS:
        # a shell starts background jobs with SIGINT ignored, and nohup relies on that
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _first)


def exit_code(interrupt: KeyboardInterrupt) -> int:
    """What a shell reports for a program that this signal ended: 130 or 143."""
    number = interrupt.args[0] if interrupt.args else signal.SIGINT
    return 128 + int(number)


def say(interrupt: KeyboardInterrupt, text: str, voice: Voice) -> None:
    """Tell the user what an interruption means; `dispatch` then adds nothing."""
    interrupt.add_note(text)
    voice.announce(text)


def is_told(interrupt: KeyboardInterrupt) -> bool:
    """Whether the user knows already what was interrupted."""
    return bool(getattr(interrupt, "__notes__", None))


def raise_if_received() -> None:
    """Raise KeyboardInterrupt again, in case a foreign destructor swallowed it."""
    if _received:
        raise KeyboardInterrupt(_received[0])


def _first(number: int, frame: FrameType | None) -> None:
    del frame
    _received.append(number)
    for each in SIGNALS:
        signal.signal(each, _second)
    raise KeyboardInterrupt(number)


def _second(number: int, frame: FrameType | None) -> None:
    del frame
    os._exit(128 + number)

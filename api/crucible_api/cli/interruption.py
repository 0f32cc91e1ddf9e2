"""Ctrl-C and SIGTERM: the first one stops cleanly, the second one exits at once.

A handler runs between any two steps of the main thread, also where nobody hears what is raised:
in a destructor, or in the callback of a weak reference. Python reports that and goes on, and a
command that waits for a worker would wait on. So what is reported as unheard is raised again, a
moment later.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

from crucible_api.cli.output import Voice

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

SIGNALS = (signal.SIGINT, signal.SIGTERM)

#: seconds until an interruption that nobody heard is raised again
_AGAIN_SECONDS = 0.01

_received: list[int] = []


def install() -> None:
    """Turn SIGINT and SIGTERM into KeyboardInterrupt, which carries the signal's number."""
    for number in SIGNALS:
        # a shell starts background jobs with SIGINT ignored, and nohup relies on that
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _first)
    signal.signal(signal.SIGALRM, _again)
    sys.unraisablehook = partial(_unheard, sys.unraisablehook)


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
    """Raise KeyboardInterrupt again, in case somebody caught it."""
    if _received:
        raise KeyboardInterrupt(_received[0])


def _first(number: int, frame: FrameType | None) -> None:
    del frame
    _received.append(number)
    for each in SIGNALS:
        signal.signal(each, _second)
    raise KeyboardInterrupt(number)


def _unheard(otherwise: Callable[[UnraisableHookArgs], Any], found: UnraisableHookArgs) -> None:
    """Python's report of what was raised where nobody hears it."""
    if _received and isinstance(found.exc_value, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
    else:
        otherwise(found)


def _again(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt(_received[0])


def _second(number: int, frame: FrameType | None) -> None:
    del frame
    os._exit(128 + number)

"""Rehearses the judging of a program in the zygote, so that no child does anything first.

What an interpreter does for the first time, it writes down: caches of attribute lookups, bytecode
specialised to the types it met (PEP 659), free lists. In a forked child each such write copies a
page, and a page fault costs as much as a hundred small calls.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

from .candidate import MODULE_NAME, Candidate
from .frames import FrameReader, packed, send_packed
from .plainness import is_plain
from .requests import OVER, request_of

#: the interpreter specialises a function within its first dozen calls
_ROUNDS = 24
_PROGRAM = '''
from typing import List, Dict, Tuple, Optional, Any
import math


def first(numbers: List[int], text: str = "a b", table: Optional[Dict[str, int]] = None) -> Any:
    """Touch what most programs touch."""
    found, total = [], 0
    for index, number in enumerate(sorted(numbers, reverse=True)):
        if number % 2 == 0 and index not in (7, 9):
            total += abs(number) * 2
        elif number > 100:
            break
        else:
            found.append(number ** 2 // 3)
    words = [word.lower().strip() for word in text.split(" ") if word]
    counts = {word: len(word) for word in words}
    counts.update(table or {})
    while total > 10:
        total //= 2
    return (found + [total], "".join(reversed(words)), counts, math.sqrt(2.0), set(numbers), None)


def second(number: float, limit: int) -> bool:
    if limit <= 0:
        raise ValueError(f"{limit} is not positive")
    return any(number == other for other in range(2, limit)) and max(number, 1) > min(limit, 2)
'''
_CALLS: tuple[tuple[str, int, list[Any]], ...] = (
    ("try", 0, [[3, 8, 15, 4], "Hello World"]),
    ("call", 0, [[3, 8, 15, 4], "Hello World", {"dict": [["a", 1]]}]),
    ("call", 1, [2.5, 6]),
    ("call", 1, [True, -1]),
)


def rehearse() -> None:
    """Judge a program as often as it takes to have nothing left to do for the first time."""
    frames = b"".join(
        packed(request_of(verb, number, (), arguments, [])) for verb, number, arguments in _CALLS
    ) + packed(OVER)
    null = os.open("/dev/null", os.O_WRONLY)
    for _ in range(_ROUNDS):
        _judge_once(null, frames)
    os.close(null)
    # no program shall import it
    del sys.modules[MODULE_NAME]


def _judge_once(answers: int, frames: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        send_packed(ours.fileno(), frames)
        candidate = Candidate(answers, FrameReader(theirs.fileno()), frozenset())
        code = compile(_PROGRAM, MODULE_NAME, "exec", dont_inherit=True)
        assert is_plain(code)
        candidate.load(code)
        candidate.announce(["first", "second"])
        candidate.serve()
        candidate.forget()

"""A task that only shows that it ran; `python probe.py 41` asks a worker for 42.

`celery -A probe worker` serves it beside the real ones.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from crucible_infra.errors import CrucibleError
from crucible_tasks import evaluation, generation
from crucible_tasks.celery_app import app
from crucible_tasks.contract import Contract
from crucible_tasks.sending import send_and_wait

__all__ = ["MARK", "PROBE", "app"]

#: how long `python probe.py` waits for its answer unless told otherwise, in seconds
ANSWER_SECONDS = "30"


@dataclass(frozen=True, slots=True)
class Number:
    """What is sent and what comes back."""

    value: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Ask for a line in a file, after some seconds, or for a failure."""

    path: str
    text: str
    seconds: float = 0.0
    fails: bool = False


PROBE = Contract("crucible.test_probe", generation.QUEUE, Number, Number, keeps_result=True)
MARK = Contract("crucible.test_mark", evaluation.QUEUE, Mark, Mark)


@PROBE.implement
def add_one(number: Number) -> Number:
    """Answer with the next number."""
    if number.value < 0:
        raise CrucibleError("no negative numbers")
    return Number(number.value + 1)


@MARK.implement
def leave_a_mark(mark: Mark) -> Mark:
    """Append the text and the process' number to the file."""
    time.sleep(mark.seconds)
    if mark.fails:
        raise CrucibleError("told to fail")
    with Path(mark.path).open("a") as file:
        file.write(f"{mark.text} {os.getpid()}\n")
    return mark


def main(value: str, seconds: str = ANSWER_SECONDS) -> int:
    """Print the answer, or the error in one line."""
    try:
        answer = send_and_wait(PROBE, Number(int(value)), float(seconds))
    except CrucibleError as error:
        print(f"{type(error).__name__}: {error.message} | {error.hint}", file=sys.stderr)
        return error.exit_code
    print(answer.value)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Replay files of known quality: a dataset's own solutions and wrong answers, no two alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from crucible_tasks.challenge import Challenge
from crucible_tasks.challenges import Dataset

#: how the wrong ones fail: by value, by exception, by syntax
WRONG = ("    return None", "    raise ValueError", "    return (")

#: one answer of so many is wrong
WRONG_EVERY = 4


def write_replay(path: Path, dataset: Dataset, n: int) -> Path:
    """Record n answers to every challenge; which ones are wrong depends on the challenge."""
    with path.open("w") as file:
        for position, challenge in enumerate(dataset.challenges):
            for text in answers(challenge, position, n):
                file.write(f"{json.dumps({'task_id': challenge.task_id, 'completion': text})}\n")
    return path


def answers(challenge: Challenge, position: int, n: int) -> Iterator[str]:
    """The n answers to a challenge whose prompt is the start of its reference."""
    assert challenge.reference is not None
    right = challenge.reference.removeprefix(challenge.prompt)
    for index in range(n):
        number = index + position
        is_wrong = number % WRONG_EVERY == 0
        body = WRONG[number // WRONG_EVERY % len(WRONG)] if is_wrong else right
        # the comment makes every text another program, so that each one is judged
        yield f"{body.rstrip()}\n# answer {index}\n"

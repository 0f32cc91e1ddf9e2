"""The training texts: functions, one after the other, from one seed; run it to check them all.

`python workers/nano/examples.py --held-out FILE` writes 80 functions of combinations that training
has not seen as a dataset: `crucible benchmark -m nano -d FILE -n 10`.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from function import Function
from pipelines import pipelines
from small_functions import small_functions

#: share of texts about pipelines; the small functions are more and harder to tell apart
_PIPELINES = 0.35

#: share of texts that are a file of several functions, as those of a real project are
_FILES = 0.08

#: functions in the dataset of what was held out
_HELD_OUT = 80

_STARTER = Path(__file__).parents[2] / "tasks/crucible_tasks/challenges/starter.jsonl"


@dataclass(frozen=True, slots=True)
class Example:
    """One text: what is given, and what is to be learned."""

    prompt: str
    answer: str


def examples(seed: int) -> Iterator[Example]:
    """Without end; no docstring of the starter dataset is ever among them."""
    chance = random.Random(seed)
    known = [pipeline for pipeline in pipelines() if not pipeline.is_held_out]
    small = small_functions()
    kept_out = starter_docstrings()

    def written() -> Function:
        while True:
            source = known if chance.random() < _PIPELINES else small
            function = chance.choice(source).written(chance)
            if plain(function.docstring) not in kept_out:
                return function

    while True:
        if chance.random() < _FILES:
            first, *others = (written() for _ in range(chance.randint(2, 4)))
            rest = "".join(f"\n\n{one.prompt}{one.body}" for one in others)
            yield Example(first.prompt, first.body + rest)
        else:
            function = written()
            yield Example(function.prompt, function.body)


def held_out_functions(seed: int, count: int) -> list[Function]:
    """Functions of combinations that no example shows."""
    chance = random.Random(seed)
    held_out = [pipeline for pipeline in pipelines() if pipeline.is_held_out]
    return [pipeline.written(chance) for pipeline in chance.sample(held_out, count)]


def starter_docstrings() -> set[str]:
    """What the starter dataset asks, as `plain` has it."""
    lines = _STARTER.read_text(encoding="utf-8").splitlines()
    return {plain(json.loads(line)["prompt"].split('"""')[1]) for line in lines}


def plain(docstring: str) -> str:
    """The words of a docstring."""
    return " ".join(docstring.lower().replace(".", " ").replace(",", " ").split())


def _write_held_out(path: Path) -> None:
    """A dataset in our own format."""
    with path.open("w", encoding="utf-8") as file:
        for number, one in enumerate(held_out_functions(0, _HELD_OUT)):
            calls = [
                f"assert {one.name}({', '.join(map(repr, check.arguments))}) == {check.result!r}\n"
                for check in one.checks
            ]
            row = {
                "task_id": f"held-out/{number}",
                "language": "python",
                "prompt": one.prompt,
                "entry_point": one.name,
                "tests": {"type": "script", "source": "".join(calls)},
                "reference": one.prompt + one.body,
            }
            file.write(f"{json.dumps(row)}\n")


def _check() -> int:
    """Write every function in several wordings, and run each against its checks."""
    chance = random.Random(0)
    every = [*pipelines(), *(one for one in small_functions() for _ in range(8))]
    failures = [failure for one in every if (failure := one.written(chance).failure)]
    for failure in failures:
        sys.stderr.write(f"{failure}\n")
    sys.stdout.write(f"{len(every)} functions checked, {len(failures)} fail\n")
    return 1 if failures else 0


def main() -> int:
    """Check them, or write what was held out."""
    options = argparse.ArgumentParser(description="What nano is taught.")
    options.add_argument("--held-out", type=Path, metavar="FILE")
    given = options.parse_args()
    if given.held_out is None:
        return _check()
    _write_held_out(given.held_out)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Judges many programs, most of them nasty, and prints what that left behind on this host.

    python tests/performance/soak.py [--programs 50000] [--slots CORES] [--json]

Each program is an answer to a HumanEval challenge, every other one behind a nastiness of
tests/nasty_programs.py: daemons, litter, floods, crashes, limits. The leak table has a look before
the first program (after a warm-up), after every 5,000, at the end and after the sandbox is closed:
processes, descriptors, mounts, namespaces, cgroups, shared memory, files, memory. Exit status 1
when a count grew, when memory grew by more than noise, or when a verdict was wrong. Works as root
and as an ordinary user; other sandboxes of the same user at the same time disturb the count.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from crucible_tasks.challenge import Challenge, Language, Limits, ScriptTests
from crucible_tasks.challenges import open_dataset
from crucible_workers.sandbox import open_sandbox
from crucible_workers.sandbox.slots import SlotSandbox
from leak_table import LeakWatch, grown, lines
from nasty_programs import ENDLESS, HONEST, NASTY, Nastiness

STEP = 5000
WARM_UP = 400
#: those that take their whole CPU limit are rare, or a soak would take a day
ENDLESS_EVERY = 500
LIMITS = Limits(cpu_seconds=1.0, memory_mib=1024)

_PROBE = Challenge("probe", Language.PYTHON, "", "answer", ScriptTests("assert answer() == 42"))
_PROBE_PROGRAM = "def answer():\n    return 42\n"


@dataclass(slots=True)
class Tally:
    """What the verdicts were."""

    outcomes: Counter[str] = field(default_factory=Counter)
    surprises: list[str] = field(default_factory=list)
    seconds: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Plain)
    parser.add_argument("--programs", type=int, default=50_000)
    parser.add_argument("--slots", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true", help="one object instead of the table")
    wish = parser.parse_args()
    challenges = open_dataset("humaneval").challenges
    with tempfile.TemporaryDirectory() as directory:
        # what the sandbox itself puts among temporary files is found here
        tempfile.tempdir = directory
        watch = LeakWatch(Path(directory))
        tally = soak(watch, challenges, wish.programs, wish.slots)
        problems = _problems(watch, tally)
        left = watch.new_files()
    tempfile.tempdir = None
    _show(watch, tally, problems + left, is_json=wish.json)
    sys.exit(1 if problems else 0)


class _Plain(argparse.RawDescriptionHelpFormatter):
    """Keeps the docstring's lines."""


def soak(watch: LeakWatch, challenges: Sequence[Challenge], count: int, slots: int) -> Tally:
    """Judge `count` programs, and look now and then."""
    tally = Tally()
    with closing(open_sandbox("namespaces", slots)) as sandbox, ThreadPoolExecutor(slots) as pool:
        # so that caches are full, and every slot has loaded something, at the first look
        _judge_all(sandbox, pool, challenges, range(min(WARM_UP, count)), Tally())
        _same_challenge_everywhere(sandbox, slots)
        watch.look("before")
        began = time.perf_counter()
        for first in range(0, count, STEP):
            numbers = range(first, min(first + STEP, count))
            _judge_all(sandbox, pool, challenges, numbers, tally)
            _same_challenge_everywhere(sandbox, slots)
            watch.look(str(numbers.stop))
        tally.seconds = time.perf_counter() - began
    watch.look("closed", expected=0)
    return tally


def _judge_all(
    sandbox: SlotSandbox,
    pool: ThreadPoolExecutor,
    challenges: Sequence[Challenge],
    numbers: range,
    tally: Tally,
) -> None:
    """Each challenge in turn gets its share of the numbers, in one question."""

    def ask(position: int) -> list[tuple[Nastiness, str, str]]:
        challenge = challenges[position]
        mine = [number for number in numbers if number % len(challenges) == position]
        kinds = [_kind(number // len(challenges) * 31 + number) for number in mine]
        programs = [
            f"{kind.before(challenge.reference or '')}\n# {number}"
            for kind, number in zip(kinds, mine, strict=True)
        ]
        verdicts = sandbox.judge(challenge, programs, LIMITS)
        return [
            (kind, verdict.outcome, f"{challenge.task_id}: {verdict.detail}")
            for kind, verdict in zip(kinds, verdicts, strict=True)
        ]

    for found in pool.map(ask, range(len(challenges))):
        for kind, outcome, detail in found:
            tally.outcomes[outcome] += 1
            if outcome not in kind.outcomes:
                tally.surprises.append(f"{kind.name}: {outcome} ({detail})")


def _kind(number: int) -> Nastiness:
    if number % ENDLESS_EVERY == ENDLESS_EVERY // 2:
        return ENDLESS
    return NASTY[number // 2 % len(NASTY)] if number % 2 else HONEST


def _same_challenge_everywhere(sandbox: SlotSandbox, slots: int) -> None:
    """So that two looks see the same tests loaded."""
    with ExitStack() as held:
        # a question holds its slot until it is closed, so each of these gets another
        for _ in range(slots):
            waiting = held.enter_context(closing(sandbox.judge(_PROBE, [_PROBE_PROGRAM] * 2)))
            next(waiting)


def _problems(watch: LeakWatch, tally: Tally) -> list[str]:
    first, *_, last, closed = watch.looks
    found = grown(first, last)
    for name in ("processes", "strays", "prison_mounts", "namespaces", "cgroups", "files"):
        if getattr(closed, name):
            found.append(f"{name} after the end: {getattr(closed, name)}")
    return [*found, *tally.surprises]


def _show(watch: LeakWatch, tally: Tally, problems: list[str], *, is_json: bool) -> None:
    if is_json:
        looks = [asdict(look) for look in watch.looks]
        outcomes = dict(tally.outcomes)
        said = {"looks": looks, "outcomes": outcomes, "problems": problems}
        print(json.dumps(said | {"seconds": round(tally.seconds, 1)}, indent=2))
        return
    for line in _text(watch, tally, problems):
        print(line)


def _text(watch: LeakWatch, tally: Tally, problems: list[str]) -> Iterator[str]:
    yield from lines(watch.looks)
    total = tally.outcomes.total()
    yield f"{total} programs in {tally.seconds:.0f} s: {total / tally.seconds:.0f} a second"
    yield "  ".join(f"{name} {count}" for name, count in sorted(tally.outcomes.items()))
    yield from problems
    yield "nothing is left" if not problems else f"{len(problems)} problems"


if __name__ == "__main__":
    main()

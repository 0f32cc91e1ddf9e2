"""Kills parts of a working sandbox from outside, as an operator or an out-of-memory daemon does."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path

from process_table import Process, kill_if, look_at

#: between two looks for somebody of the wanted kind
_LOOK_AGAIN_SECONDS = 0.002


class Victim(StrEnum):
    """Who is killed."""

    #: the worker itself, with everything in it
    WORKER = "worker"
    #: a prison's process outside its process namespace, which only waits
    OUTER = "outer process"
    CANDIDATES_ZYGOTE = "candidates' zygote"
    DRIVERS_ZYGOTE = "drivers' zygote"
    #: loads the tests of one challenge
    CHALLENGE = "challenge process"
    #: runs the tests against one program, where they keep state; else the challenge's process does
    DRIVER = "driver"
    #: first process of a program
    CANDIDATE = "candidate"


PARTS = tuple(victim for victim in Victim if victim is not Victim.WORKER)

#: those who are there only while a program is judged
_AT_WORK = {Victim.CANDIDATE, Victim.DRIVER, Victim.CHALLENGE}


def children(worker: int) -> frozenset[int]:
    """Processes that this one has started."""
    return frozenset(_children(worker))


def victims(worker: int, spared: frozenset[int] = frozenset()) -> dict[Victim, list[Process]]:
    """Everybody below this worker who could be killed, by kind; a candidate's children are not.

    Args:
        worker: whose processes these are.
        spared: children of it that are left in peace with everything below them.
    """
    found: dict[Victim, list[Process]] = {}
    table = {process.number: process for process in _tree(worker, spared)}
    for process in table.values():
        parent = table.get(process.parent)
        kind = _kind(process, parent, worker)
        if kind is not None and not process.is_dead:
            found.setdefault(kind, []).append(process)
    return found


class Killer(threading.Thread):
    """Kills one after another below a worker, until it has killed enough or is told to stop."""

    def __init__(
        self,
        worker: int,
        weights: Mapping[Victim, int],
        count: int,
        chance: random.Random,
        mean_gap: float,
    ) -> None:
        """Prepare to kill.

        Args:
            worker: everybody killed is below this process, or it itself, which ends the killing.
            weights: how often which kind is chosen among those who are there.
            count: how many at most.
            chance: chooses moments and victims.
            mean_gap: seconds between two kills, on average.
        """
        super().__init__(name="killer")
        self._worker = worker
        self._weights = weights
        self._count = count
        self._chance = chance
        self._mean_gap = mean_gap
        #: children of the worker that are left in peace; set before the start
        self.spared: frozenset[int] = frozenset()
        self._stop_asked = threading.Event()
        self.killed: Counter[Victim] = Counter()

    def run(self) -> None:
        """Kill, once there is work to lose."""
        while not self._seen().keys() & _AT_WORK:
            if self._stop_asked.wait(_LOOK_AGAIN_SECONDS):
                return
        while self.killed.total() < self._count and not self.killed[Victim.WORKER]:
            if self._stop_asked.wait(self._chance.expovariate(1 / self._mean_gap)):
                return
            while (victim := self._kill_one()) is None:
                if self._stop_asked.wait(_LOOK_AGAIN_SECONDS):
                    return
            self.killed[victim] += 1

    def stop(self) -> None:
        """Kill nobody any more."""
        self._stop_asked.set()
        self.join()

    def _seen(self) -> dict[Victim, list[Process]]:
        worker = look_at(self._worker)
        found = victims(self._worker, self.spared)
        return found | {Victim.WORKER: [worker]} if worker is not None else found

    def _kill_one(self) -> Victim | None:
        seen = self._seen()
        kinds = [kind for kind in self._weights if kind in seen]
        if not kinds:
            return None
        (kind,) = self._chance.choices(kinds, [self._weights[kind] for kind in kinds])
        chosen = self._chance.choice(seen[kind])
        return kind if kill_if(chosen.number, chosen) else None


def wait_until_gone(numbers: set[int], seconds: float) -> list[Process]:
    """Those that still run after so many seconds; zombies do not."""
    deadline = time.monotonic() + seconds
    while True:
        alive = [one for number in numbers if (one := look_at(number)) and not one.is_dead]
        if not alive or time.monotonic() > deadline:
            return alive
        time.sleep(0.02)


def _kind(process: Process, parent: Process | None, worker: int) -> Victim | None:
    depth = len(process.numbers)
    if depth == 1:
        return Victim.OUTER if process.parent == worker else None
    if process.is_first:
        if depth > 2:
            return Victim.CANDIDATE
        # only who makes namespaces for programs needs to keep a privilege
        return Victim.CANDIDATES_ZYGOTE if process.is_privileged else Victim.DRIVERS_ZYGOTE
    if depth > 2 or parent is None:
        return None
    return Victim.CHALLENGE if parent.is_first else Victim.DRIVER


def _tree(number: int, spared: frozenset[int] = frozenset()) -> Iterator[Process]:
    """Every descendant, fast enough to meet programs that live for milliseconds."""
    for child in set(_children(number)) - spared:
        process = look_at(child)
        if process is not None:
            yield process
            yield from _tree(child)


def _children(number: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{number}/task").iterdir():
            with contextlib.suppress(OSError):
                yield from map(int, (task / "children").read_text().split())

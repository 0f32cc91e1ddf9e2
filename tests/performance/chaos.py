"""Injects random faults into sweeps on separate hosts, and compares what each sweep found.

    python tests/performance/chaos.py [--faults 40] [--seed S] [--kinds kill-redis,cut-worker,…]

Needs root: a Redis and a Postgres, two hosts with a generation and an evaluation worker each, and
a desk with the controller run in network namespaces of their own (`tests/cluster.py`). Sweeps of
recorded models run one after another; while one runs, a fault of a random kind hits a random
victim (`tests/faults.py`), and whatever died is started again, as a service manager would. Each
sweep must end by itself with the completions, verdicts and scores of an undisturbed embedded run.

A sweep in which nothing is stored for --patience seconds is resumed by hand and counted as stuck:
something was lost, and what would have found it takes longer than that. `next verdict` is the
time from the fault's beginning to the first verdict stored after it; `late` is how much longer the
sweep took than undisturbed ones. Ctrl-C ends it and leaves nothing behind. Exit status 1 when a
sweep was stuck or wrong, or a process is left.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import process_table
from cluster import Cluster, cluster
from faults import FAULTS, Scene
from recorded_sweep import Found, RecordedSweep, doubled, found
from sweep_watch import SweepWatch, watching

#: hosts that work
_HOSTS = ("left", "right")

#: sweeps without a fault, whose median tells how long one takes
_UNDISTURBED = 3

#: of an undisturbed sweep's time from its first completion: later there is little left to hit
_FAULT_WITHIN = 0.7

#: generation from a file is over so soon, in seconds
_EARLY_SECONDS = 0.1

#: so soon after a fault a person asks again
_ASKED_AT_MOST = 8

#: what a command needs that only asks, on a busy machine
_ASK_SECONDS = 10.0

#: what a killed worker leaves must end by itself, in seconds
_ORPHAN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Hit:
    """One fault and what came of it."""

    kind: str
    victim: str
    next_verdict_seconds: float
    late_seconds: float
    is_stuck: bool


@dataclass(slots=True)
class Record:
    """What happened so far."""

    hits: list[Hit] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Chaos:
    """A cluster, what is run on it, and what must be found."""

    cluster: Cluster
    sweep: RecordedSweep
    right: Found
    scene: Scene
    patience_seconds: float
    usual_seconds: list[float] = field(default_factory=list)
    #: what the door said to whoever wanted to begin a sweep right after a fault
    refusals: list[list[str]] = field(default_factory=list)

    def measure(self) -> None:
        """Run undisturbed sweeps."""
        for _ in range(_UNDISTURBED):
            with self._sweep() as watch:
                began = time.monotonic()
                assert watch.wait_for_end(self.patience_seconds), watch.standing()
                self.usual_seconds.append(time.monotonic() - began)
                wrong = list(self._wrong(watch))
                assert not wrong, wrong

    def hit(self, kind: str, record: Record) -> None:
        """Run one sweep, and let this happen to it."""
        with self._sweep() as watch:
            began = time.monotonic()
            watch.wait_for_completions(self.patience_seconds)
            usual = statistics.median(self.usual_seconds)
            span = _EARLY_SECONDS if "generation" in kind else _FAULT_WITHIN * usual
            time.sleep(self.scene.chance.uniform(0.0, span))
            moment = time.monotonic()
            victim = FAULTS[kind](self.scene)
            is_stuck = not watch.wait_for_end(self.patience_seconds)
            if is_stuck:
                record.problems.append(f"{kind} ({victim}): stuck at {watch.standing()}")
                self._resume(watch, record)
            late = watch.latest.at - began - usual
            record.hits.append(Hit(kind, victim, watch.news_after(moment), late, is_stuck))
            print(_line(record.hits[-1]), flush=True)
            record.problems += [f"{kind} ({victim}): {one}" for one in self._wrong(watch)]

    @contextmanager
    def _sweep(self) -> Iterator[SweepWatch]:
        for _ in range(_ASKED_AT_MOST):
            said = self.cluster.door(*self.sweep.words(), "--detach")
            if said.code == 0:
                break
            self.refusals.append(said.err.splitlines()[-2:])
        assert said.code == 0, said.err
        with watching(self.cluster, said.out.split()) as watch:
            yield watch

    def _resume(self, watch: SweepWatch, record: Record) -> None:
        """Start every worker anew, which may be deaf, and ask for what is missing."""
        for worker in self.cluster.workers:
            worker.signal(signal.SIGKILL)
        for run_id in watch.latest.open_runs:
            # it would follow the run, and its work is done when it has asked
            self.cluster.door("runs", "resume", run_id, patience_seconds=_ASK_SECONDS)
        if not watch.wait_for_end(self.patience_seconds):
            record.problems.append(f"stuck even after resuming: {watch.standing()}")

    def _wrong(self, watch: SweepWatch) -> Iterator[str]:
        if (seen := found(self.cluster.postgres.watch_url, watch.run_ids)) == self.right:
            return
        for key, run in self.right.items():
            for name in ("state", "completions", "verdicts", "scores"):
                mine, its = getattr(run, name), getattr(seen[key], name)
                if mine != its:
                    yield f"{key}: {name} differ ({len(its)} for {len(mine)}) {its[:60]}"


def main() -> None:
    wish = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    process_table.adopt_orphans()
    record = Record()
    try:
        with tempfile.TemporaryDirectory(prefix="chaos") as place:
            with cluster(Path(place), *_HOSTS) as made, _logs_kept(made, wish.logs):
                _run(made, wish, record)
            record.problems += _orphans()
    finally:
        _show(record)
    sys.exit(1 if record.problems else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faults", type=int, default=40)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--kinds", default=",".join(FAULTS), help="default: %(default)s")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds without news")
    parser.add_argument("--challenges", type=int, default=10)
    parser.add_argument("--samples", type=int, default=6, help="answers to each challenge")
    parser.add_argument("--logs", type=Path, help="a folder that gets the workers' logs")
    return parser


def _run(made: Cluster, wish: argparse.Namespace, record: Record) -> None:
    for host in _HOSTS:
        made.add_worker(host, "generation", threads=2)
        made.add_worker(host, "evaluation")
    made.add_worker("desk", "controller")
    chance = random.Random(wish.seed)
    size = {"challenges": wish.challenges, "n": wish.samples}
    sweep = RecordedSweep(made.directory, nap_seconds=0.08, **size)
    sweep.record()
    chaos = Chaos(made, sweep, sweep.undisturbed(), Scene(made, chance), wish.patience)
    chaos.measure()
    print(f"an undisturbed sweep takes {statistics.median(chaos.usual_seconds):.1f} s", flush=True)
    for kind in _kinds(wish, chance):
        chaos.hit(kind, record)
    for refusal in chaos.refusals:
        print("a sweep was refused at first:", *refusal)
    rows = doubled(made.postgres.watch_url)
    record.problems += [f"{count} doubled {table}" for table, count in rows.items() if count]


def _kinds(wish: argparse.Namespace, chance: random.Random) -> Iterator[str]:
    """Every kind as often as every other, in random order."""
    names: Sequence[str] = wish.kinds.split(",")
    for start in range(0, wish.faults, len(names)):
        yield from chance.sample(names, len(names))[: wish.faults - start]


@contextmanager
def _logs_kept(made: Cluster, folder: Path | None) -> Iterator[None]:
    try:
        yield
    finally:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            for log in made.directory.glob("*.log"):
                (folder / log.name).write_bytes(log.read_bytes())


def _orphans() -> Iterator[str]:
    deadline = time.monotonic() + _ORPHAN_SECONDS
    left = process_table.below(os.getpid())
    while left and time.monotonic() < deadline:
        time.sleep(0.2)
        process_table.bury_orphans()
        left = process_table.below(os.getpid())
    yield from (f"process {one.number} is left" for one in left)


def _line(hit: Hit) -> str:
    said = "stuck, resumed by hand" if hit.is_stuck else f"late by {hit.late_seconds:.1f} s"
    return f"{hit.kind:20} {hit.victim:28} next verdict {hit.next_verdict_seconds:6.1f} s, {said}"


def _show(record: Record) -> None:
    heads = "fault", "count", "next verdict", "max", "late", "max", "stuck"
    print("{:20} {:>5} {:>12} {:>7} {:>7} {:>7} {:>5}".format(*heads))
    for kind in dict.fromkeys(hit.kind for hit in record.hits):
        hits = [hit for hit in record.hits if hit.kind == kind]
        soon = [hit.next_verdict_seconds for hit in hits]
        late = [hit.late_seconds for hit in hits]
        print(
            f"{kind:20} {len(hits):5} {statistics.median(soon):10.1f} s {max(soon):5.1f} s"
            f" {statistics.median(late):5.1f} s {max(late):5.1f} s"
            f" {sum(hit.is_stuck for hit in hits):5}"
        )
    for problem in record.problems:
        print(problem)
    print(f"{len(record.hits)} faults, {len(record.problems)} problems")


if __name__ == "__main__":
    main()

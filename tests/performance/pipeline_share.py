"""Prints how a replayed benchmark's time divides between the sandbox and everything else.

    python tests/performance/pipeline_share.py [--samples 200] [--challenges 164] [--bare]

Runs `crucible benchmark -m replay:FILE -n SAMPLES` in this process, with the embedded worker, on
HumanEval's own solutions and wrong answers, all texts distinct: 164 x 200 by default, the setting
of Chen et al. 2021. The parent is this process. What counts as sandbox: the prisons, and the time
this process spends in a slot, which is their host side. Two views, because either alone flatters:

- wall: a slot that waits for work does nothing for the user. 1 - busy slot-seconds / slots / wall.
- CPU: what the pipeline takes from the CPUs that the slots could have used lengthens their work
  and hides in it. The parent's CPU outside slots, of all CPU.

--bare also judges the same programs with the same slots and nothing else, before the benchmark,
and prints what share of the benchmark's wall time was not needed for that. On a busy host that
figure is noise.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from crucible_api.entry import main as crucible
from crucible_infra import settings
from crucible_tasks.challenge import Challenge, Limits
from crucible_tasks.challenges import Dataset, open_dataset, select
from crucible_workers import evaluate
from crucible_workers.sandbox import open_sandbox, slots
from crucible_workers.sandbox.slot import Finding, Slot
from recorded_answers import answers, write_replay


@dataclass(slots=True)
class Spent:
    """What all slots together used, in seconds."""

    busy: float = 0.0
    #: CPU of this process' threads while in a slot
    host_cpu: float = 0.0
    programs: int = 0


_spent = Spent()
_lock = threading.Lock()


class TimedSlot(Slot):
    """A slot that adds up what it uses."""

    def judge(self, challenge: Challenge, source: str, limits: Limits) -> Finding:
        """Judge one program, and count."""
        began, began_cpu = time.perf_counter(), time.thread_time()
        try:
            return super().judge(challenge, source, limits)
        finally:
            with _lock:
                _spent.busy += time.perf_counter() - began
                _spent.host_cpu += time.thread_time() - began_cpu
                _spent.programs += 1


@dataclass(frozen=True, slots=True)
class Split:
    """What a benchmark used, in seconds, MiB and slots."""

    wall: float
    slots: int
    busy: float
    programs: int
    parent_cpu: float
    host_cpu: float
    prison_cpu: float
    parent_mib: float

    @property
    def wall_share(self) -> float:
        """Of the wall time, what the slots did not work."""
        return 1 - self.busy / self.slots / self.wall

    @property
    def cpu_share(self) -> float:
        """Of all CPU time, the parent's outside slots."""
        return (self.parent_cpu - self.host_cpu) / (self.parent_cpu + self.prison_cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Plain)
    parser.add_argument("--samples", type=int, default=200, help="answers per challenge")
    parser.add_argument("--challenges", type=int, default=164, help="only the first of them")
    parser.add_argument("--bare", action="store_true", help="also the sandbox alone")
    wish = parser.parse_args()
    dataset = select(open_dataset("humaneval"), limit=wish.challenges)
    bare = judge_bare(dataset, wish.samples) if wish.bare else None
    slots.Slot = TimedSlot  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as directory:
        os.environ["CRUCIBLE_HOME"] = directory
        settings.current.cache_clear()
        replay = write_replay(Path(directory) / "replay.jsonl", dataset, wish.samples)
        show(measure(replay, wish.samples, wish.challenges), bare)


class _Plain(argparse.RawDescriptionHelpFormatter):
    """Keeps the docstring's lines."""


def judge_bare(dataset: Dataset, n: int) -> float:
    """Wall seconds that the same slots need for the same programs and nothing else."""
    count = os.cpu_count() or 1
    with closing(open_sandbox("namespaces", count)) as sandbox, ThreadPoolExecutor(count) as pool:

        def judge(position: int) -> int:
            challenge = dataset.challenges[position]
            programs = [challenge.prompt + text for text in answers(challenge, position, n)]
            return sum(1 for _ in sandbox.judge(challenge, programs))

        began = time.perf_counter()
        total = sum(pool.map(judge, range(len(dataset.challenges))))
        assert total == n * len(dataset.challenges)
        return time.perf_counter() - began


def measure(replay: Path, n: int, challenges: int) -> Split:
    """Run the benchmark once and end its prisons, which makes their CPU time known."""
    result = replay.with_name("result.json")
    words = ["benchmark", "-m", f"replay:{replay}", "-n", str(n), "--limit", str(challenges)]
    own_before, prisons_before = _cpu(resource.RUSAGE_SELF), _cpu(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    code = crucible([*words, "--output", str(result)])
    wall = time.perf_counter() - began
    own = _cpu(resource.RUSAGE_SELF) - own_before
    evaluate.shared_sandbox().close()
    found = json.loads(result.read_text())
    assert (code, found["judged"]) == (0, n * challenges), found["failures"]
    return Split(
        wall=wall,
        slots=os.cpu_count() or 1,
        busy=_spent.busy,
        programs=_spent.programs,
        parent_cpu=own,
        host_cpu=_spent.host_cpu,
        prison_cpu=_cpu(resource.RUSAGE_CHILDREN) - prisons_before,
        parent_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def _cpu(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def show(split: Split, bare: float | None) -> None:
    all_cpu = split.parent_cpu + split.prison_cpu
    print(f"programs              {split.programs:9}  {split.programs / split.wall:.0f} a second")
    print(f"wall                  {split.wall:9.1f} s")
    print(f"slots busy            {split.busy / split.slots:9.1f} s  each of {split.slots}")
    print(f"prisons' CPU          {split.prison_cpu:9.1f} s")
    print(f"parent's CPU in slots {split.host_cpu:9.1f} s")
    print(f"parent's CPU besides  {split.parent_cpu - split.host_cpu:9.1f} s")
    print(f"all CPU               {all_cpu:9.1f} s  of {split.slots * split.wall:.1f} s there were")
    print(f"pipeline, of wall     {100 * split.wall_share:9.1f} %")
    print(f"pipeline, of CPU      {100 * split.cpu_share:9.1f} %")
    if bare is not None:
        print(f"sandbox alone         {bare:9.1f} s wall")
        print(f"pipeline, by contrast {100 * (1 - bare / split.wall):9.1f} %")
    print(f"parent's peak memory  {split.parent_mib:9.0f} MiB")


if __name__ == "__main__":
    main()

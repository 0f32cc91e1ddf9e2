"""Kills workers, warm parents and programs at random under load, and compares every verdict.

    python tests/performance/kill_proof.py [--kills 200] [--challenges 40] [--samples 10] [--seed S]

`crucible benchmark` judges recorded answers, right, wrong and slow, in a process of its own with
the embedded worker, all slots busy and a busy neighbour on every core. Meanwhile one part of it
after another, chosen at random, gets SIGKILL: the worker (which `crucible runs resume` follows),
a prison's outer process, either zygote, a challenge's process, a driver, or the first process of a
program. A completed benchmark is compared with an undisturbed one, verdict by verdict, and the
next one begins, until there were enough kills. Exit status 1 when a verdict is missing, double or
other than undisturbed, or when anything is left on the host.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import process_table
import recorded_answers
from busy_neighbours import busy_neighbours
from commandline import Crucible, at_home
from crucible_tasks.challenges import Dataset, open_dataset, select
from leak_table import LeakWatch, grown, lines
from prison_kills import Killer, Victim

#: among those who are there
_WEIGHTS = {
    Victim.WORKER: 10,
    Victim.OUTER: 10,
    Victim.CANDIDATES_ZYGOTE: 16,
    Victim.DRIVERS_ZYGOTE: 16,
    Victim.CHALLENGE: 12,
    Victim.DRIVER: 12,
    Victim.CANDIDATE: 24,
}
_MEAN_GAP_SECONDS = 0.4
#: a run that needs more resumes than this after its last kill never ends
_MAX_RESUMES = 5
#: so that a program at work is nearly always there to be killed
_NAPS = (0.0, 0.05, 0.1)


@dataclass(slots=True)
class Record:
    """What happened so far."""

    killed: Counter[Victim] = field(default_factory=Counter)
    rounds: int = 0
    resumes: int = 0
    #: ends of a command that nobody killed, by exit code
    codes: Counter[int] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        return self.killed.total()


@dataclass(frozen=True, slots=True)
class Proof:
    """A benchmark, its right verdicts, and where and how it is disturbed."""

    directory: Path
    words: list[str]
    right: dict[str, list[Any]]
    watch: LeakWatch
    chance: random.Random
    kills: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Plain)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--challenges", type=int, default=40)
    parser.add_argument("--samples", type=int, default=10, help="answers to each challenge")
    parser.add_argument("--seed", type=int, default=3)
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        (directory / "tmp").mkdir()
        watch = LeakWatch(directory / "tmp")
        dataset = select(open_dataset("humaneval"), limit=wish.challenges)
        replay = _write_replay(directory / "replay.jsonl", dataset, wish.samples)
        words = f"benchmark -m replay:{replay} -n {wish.samples} --limit {wish.challenges}".split()
        undisturbed = _home(directory, "undisturbed")
        said = undisturbed(*words)
        assert said.code == 0, said.err
        with busy_neighbours():
            process_table.bury_orphans()
            watch.look("before")
            chance = random.Random(wish.seed)
            proof = Proof(directory, words, _verdicts(undisturbed), watch, chance, wish.kills)
            record = _disturb(proof)
            process_table.bury_orphans()
            watch.look("after")
        record.problems += [*grown(*watch.looks), *watch.new_files()]
    _show(record, proof)
    sys.exit(1 if record.problems else 0)


class _Plain(argparse.RawDescriptionHelpFormatter):
    """Keeps the docstring's lines."""


def _disturb(proof: Proof) -> Record:
    """One benchmark after another, until there were enough kills."""
    record = Record()
    while record.kills < proof.kills and not record.problems:
        record.rounds += 1
        crucible = _home(proof.directory, str(record.rounds))
        if _complete(proof, crucible, record):
            _compare(proof.right, _verdicts(crucible), record)
            _count(crucible, len(proof.right), record)
    return record


def _complete(proof: Proof, crucible: Crucible, record: Record) -> bool:
    """Run it, kill parts of it, resume it, until it is complete."""
    words, left = proof.words, _MAX_RESUMES
    while left:
        child = crucible.start(*words)
        proof.watch.workers.add(child.pid)
        killer = _killer(proof, child.pid, record)
        killer.start()
        _, err = child.communicate()
        killer.stop()
        record.killed += killer.killed
        if child.returncode == 0:
            return True
        if not killer.killed[Victim.WORKER]:
            record.codes[child.returncode] += 1
            print(err.decode()[-400:], file=sys.stderr)
        # not for ever, but a killed one has lost nothing by it
        left -= not killer.killed.total()
        record.resumes += 1
        words = ["runs", "resume", "latest"] if _rows(crucible, "runs")[0] else proof.words
    record.problems.append(f"round {record.rounds} does not become complete")
    return False


def _killer(proof: Proof, worker: int, record: Record) -> Killer:
    left = max(proof.kills - record.kills, 0)
    return Killer(worker, _WEIGHTS, left, proof.chance, _MEAN_GAP_SECONDS)


def _compare(right: dict[str, list[Any]], found: dict[str, list[Any]], record: Record) -> None:
    for key in right.keys() | found.keys():
        if right.get(key) != found.get(key):
            record.problems.append(f"{key}: {right.get(key)} became {found.get(key)}")


def _verdicts(crucible: Crucible) -> dict[str, list[Any]]:
    """What must not depend on kills, for each answer."""
    said = crucible("runs", "show", "latest", "--verdicts", "--json")
    assert said.code == 0, said.err
    rows = json.loads(said.out)["verdicts"]
    names = ("outcome", "detail", "mode")
    return {f"{row['task_id']}#{row['index']}": [row[name] for name in names] for row in rows}


def _count(crucible: Crucible, planned: int, record: Record) -> None:
    for table in ("completions", "verdicts"):
        rows, keys = _rows(crucible, table)
        if (rows, keys) != (planned, planned):
            record.problems.append(f"{table}: {rows} rows, {keys} keys, {planned} planned")


def _rows(crucible: Crucible, table: str) -> tuple[int, int]:
    """Rows of a table and distinct keys; no rows before it is made."""
    # a row's own, which no other row may have
    key = "id" if table == "runs" else '"index" || task_id'
    database = f"file:{crucible.home}/crucible.db?mode=ro"
    query = f"SELECT count(*), count(DISTINCT {key}) FROM {table}"
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(database, uri=True)) as one:
        rows, keys = one.execute(query).fetchone()
        return int(rows), int(keys)
    return 0, 0


def _home(directory: Path, name: str) -> Crucible:
    home = directory / name
    home.mkdir()
    return at_home(home, TMPDIR=str(directory / "tmp"))


def _write_replay(path: Path, dataset: Dataset, n: int) -> Path:
    with path.open("w") as file:
        for position, challenge in enumerate(dataset.challenges):
            for index, text in enumerate(recorded_answers.answers(challenge, position, n)):
                nap = _NAPS[index % len(_NAPS)]
                late = f"{text}import time\ntime.sleep({nap})\n" if nap else text
                row = {"task_id": challenge.task_id, "completion": late}
                file.write(f"{json.dumps(row)}\n")
    return path


def _show(record: Record, proof: Proof) -> None:
    for line in (*lines(proof.watch.looks), *_summary(record, len(proof.right))):
        print(line)


def _summary(record: Record, planned: int) -> Iterator[str]:
    for victim, count in record.killed.most_common():
        yield f"{count:4} x kill -9 of the {victim}"
    yield (
        f"{record.kills} kills in {record.rounds} benchmarks of {planned} answers, "
        f"{record.resumes} resumes; ended unasked: {dict(record.codes) or 'none'}"
    )
    yield from record.problems
    yield f"{len(record.problems)} problems"


if __name__ == "__main__":
    main()

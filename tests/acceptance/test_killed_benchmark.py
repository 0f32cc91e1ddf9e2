"""A benchmark killed or interrupted in its middle: nothing lost, nothing left running."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from commandline import Crucible, at_home
from crucible_tasks.challenges import open_dataset, select
from recorded_answers import write_replay

CHALLENGES = 40
N = 5
PLANNED = CHALLENGES * N

#: shares of the verdicts after which it is interrupted
SHARES = (0.1, 0.5, 0.8)

#: how it is interrupted, and the exit code that follows
CODES = {signal.SIGKILL: -signal.SIGKILL, signal.SIGINT: 130, signal.SIGTERM: 143}

#: a kill hits anything at any moment; the two polite signals take one way
INTERRUPTIONS = [
    *((signal.SIGKILL, share) for share in SHARES),
    (signal.SIGINT, SHARES[0]),
    (signal.SIGTERM, SHARES[1]),
]

#: for a loaded host; what is left of a run should be gone much sooner
GONE_SECONDS = 5.0

#: works for ever in two processes, the younger in a session of its own
TENACIOUS = """
import os
if os.fork() == 0:
    os.setsid()
while True:
    pass
"""


@dataclass(frozen=True, slots=True)
class Process:
    """One line of the process table."""

    number: int
    parent: int
    session: int
    #: clock ticks of CPU time
    ticks: int
    is_dead: bool


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """A benchmark's command, and what its run shows when nobody interrupts it."""

    words: list[str]
    shown: Any


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    directory = tmp_path_factory.mktemp("undisturbed")
    dataset = select(open_dataset("humaneval"), limit=CHALLENGES)
    replay = write_replay(directory / "replay.jsonl", dataset, N)
    words = f"benchmark -m replay:{replay} -n {N} --limit {CHALLENGES} -k 1,5 --seed 7".split()
    crucible = at_home(directory)
    said = crucible(*words)
    assert said.code == 0, said.err
    return Undisturbed(words, _shown(crucible))


@pytest.mark.parametrize(("number", "share"), INTERRUPTIONS)
def test_an_interrupted_run_ends_as_an_undisturbed_one(
    crucible: Crucible, undisturbed: Undisturbed, number: signal.Signals, share: float
) -> None:
    child = crucible.start(*undisturbed.words)
    _wait_for_verdicts(crucible, share, child)
    prisons = _interrupt(child, number)
    _, err = child.communicate(timeout=30)
    assert child.returncode == CODES[number], err
    assert prisons, "there was nothing to leave behind"
    _assert_gone(prisons)
    if number is signal.SIGKILL:
        # a polite end waits a moment for the programs at hand, which may be the last ones
        assert _count(crucible, "verdicts") < PLANNED, "it had ended before it was killed"
    else:
        assert b"stopped; nothing is lost: crucible runs resume" in err
        assert b"Traceback" not in err
    resumed = crucible("runs", "resume", "latest", "--json")
    assert resumed.code == 0, resumed.err
    assert _shown(crucible) == undisturbed.shown
    for table in ("completions", "verdicts"):
        assert _count(crucible, table) == PLANNED
        assert _per_challenge(crucible, table) == [N] * CHALLENGES


def test_a_run_killed_three_times_ends_as_an_undisturbed_one(
    crucible: Crucible, undisturbed: Undisturbed
) -> None:
    words = undisturbed.words
    for share in SHARES:
        child = crucible.start(*words)
        _wait_for_verdicts(crucible, share, child)
        _assert_gone(_interrupt(child, signal.SIGKILL))
        child.communicate(timeout=30)
        words = ["runs", "resume", "latest"]
    assert crucible(*words).code == 0
    assert _shown(crucible) == undisturbed.shown
    assert _per_challenge(crucible, "verdicts") == [N] * CHALLENGES


def test_a_program_at_work_dies_with_its_killed_benchmark(crucible: Crucible) -> None:
    samples = crucible.home / "samples.jsonl"
    samples.write_text(f"{json.dumps({'task_id': 'HumanEval/0', 'solution': TENACIOUS})}\n")
    child = crucible.start("evaluate", str(samples), "--cpu-seconds", "60")
    half_a_second = os.sysconf("SC_CLK_TCK") // 2
    before = _busiest(child)
    _wait_until(lambda: _busiest(child) > before + half_a_second, child)
    _assert_gone(_interrupt(child, signal.SIGKILL))
    child.communicate(timeout=30)


def _shown(crucible: Crucible) -> Any:
    """What must not depend on interruptions: scores, outcomes, every verdict."""
    said = crucible("runs", "show", "latest", "--verdicts", "--json")
    assert said.code == 0, said.err
    shown = json.loads(said.out)
    names = "state completions judged coverage pass@1 pass@5 outcomes validity failures".split()
    verdicts = [
        [row[name] for name in ("task_id", "index", "outcome", "detail", "mode")]
        for row in shown["verdicts"]
    ]
    return {name: shown[name] for name in names} | {"verdicts": verdicts}


def _wait_for_verdicts(crucible: Crucible, share: float, child: subprocess.Popen[bytes]) -> None:
    _wait_until(lambda: _count(crucible, "verdicts") >= share * PLANNED, child)


def _wait_until(is_reached: Callable[[], bool], child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and child.poll() is None:
        if is_reached():
            return
        time.sleep(0.005)
    child.kill()
    pytest.fail(f"did not come to where it should be interrupted: {child.communicate()}")


def _interrupt(child: subprocess.Popen[bytes], number: int) -> set[int]:
    """Signal this process alone; returns the sessions of the prisons it has."""
    # so that no prison opens between the look and the signal
    child.send_signal(signal.SIGSTOP)
    sessions = {process.session for process in _descendants(child)} - {child.pid}
    child.send_signal(number)
    child.send_signal(signal.SIGCONT)
    return sessions


def _assert_gone(sessions: set[int]) -> None:
    deadline = time.monotonic() + GONE_SECONDS
    while alive := [one for one in _processes() if one.session in sessions and not one.is_dead]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.02)


def _busiest(child: subprocess.Popen[bytes]) -> int:
    return max((process.ticks for process in _descendants(child)), default=0)


def _descendants(child: subprocess.Popen[bytes]) -> list[Process]:
    table, found, parents = _processes(), [], {child.pid}
    while parents:
        born = [process for process in table if process.parent in parents]
        found += born
        parents = {process.number for process in born}
    return found


def _processes() -> list[Process]:
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = place.read_text()
        except OSError:
            # it has ended since it was listed
            continue
        # proc(5): pid (name) state parent group session …; 14 and 15 are CPU ticks
        state, parent, _, session, *rest = text.rpartition(")")[2].split()
        number, ticks = int(place.parent.name), int(rest[7]) + int(rest[8])
        found.append(Process(number, int(parent), int(session), ticks, state in "ZX"))
    return found


def _count(crucible: Crucible, table: str) -> int:
    """Rows of a table; fails when a key is there twice."""
    rows, keys = _query(
        crucible,
        f"""SELECT count(*), count(DISTINCT task_id || '#' || "index") FROM {table}""",
    )[0] or (0, 0)
    assert rows == keys
    return int(rows)


def _per_challenge(crucible: Crucible, table: str) -> list[int]:
    found = _query(crucible, f"SELECT count(*) FROM {table} GROUP BY task_id")
    return [int(row[0]) for row in found]


def _query(crucible: Crucible, query: str) -> list[Any]:
    try:
        with closing(sqlite3.connect(f"file:{crucible.home}/crucible.db?mode=ro", uri=True)) as one:
            return one.execute(query).fetchall()
    except sqlite3.OperationalError:
        # not made yet
        return [(0, 0)]

"""A child that has run plain programs runs the next one, and nobody can tell from the verdicts."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import crucible_workers.sandbox
from crucible_tasks.challenge import Challenge, Language, Limits, ScriptTests
from crucible_tasks.verdict import Outcome
from crucible_workers.sandbox import Sandbox, open_sandbox
from crucible_workers.sandbox.prison.frames import FrameReader, send_frame
from crucible_workers.sandbox.prison.requests import (
    DECLINED,
    OVER,
    OWN,
    PLAIN,
    order_of,
    request_of,
)

_CHILD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
from prison.programs import run_programs
run_programs()
"""
LIMITS = Limits(cpu_seconds=1.0, memory_mib=1024, processes=32, file_mib=16, output_mib=4)
ASKS_TWICE = Challenge(
    task_id="twice",
    language=Language.PYTHON,
    prompt="",
    entry_point="f",
    tests=ScriptTests("assert f(1) == 2\nassert f(2) == 3\nassert f(3) == 4"),
    limits=LIMITS,
)


@dataclass
class Child:
    """The driver's end of a child."""

    channel: int
    reader: FrameReader
    process: subprocess.Popen[bytes]

    def order(self, source: str) -> bytes:
        """Order a program; the child's first word."""
        send_frame(self.channel, order_of("split", source, names=["f"]))
        return self.reader.receive()

    def hear(self) -> list[object]:
        found: list[object] = json.loads(self.reader.receive())
        return found

    def call(self, argument: int) -> list[object]:
        send_frame(self.channel, request_of("call", 0, (), [argument], []))
        return self.hear()


@contextmanager
def child() -> Iterator[Child]:
    ours, theirs = socket.socketpair()
    package = Path(crucible_workers.sandbox.__file__).parent
    with ours, theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": str(package)},
        )
        theirs.close()
        yield Child(ours.fileno(), FrameReader(ours.fileno()), process)
    process.wait()


def test_a_plain_program_leaves_its_child_to_the_next_one() -> None:
    with child() as one:
        for number in range(3):
            assert one.order(f"def f(x):\n    return x + {number}") == PLAIN
            assert one.hear()[0] == "ready"
            assert one.call(1) == ["return", 1 + number, []]
            send_frame(one.channel, OVER)
            word, seconds, is_worn = one.hear()
            assert word == "whole"
            assert isinstance(seconds, float)
            assert not is_worn


def test_any_other_program_gets_a_child_of_its_own() -> None:
    with child() as one:
        assert one.order("import os\ndef f(x):\n    return x") == OWN
        assert one.hear()[0] == "ready"
    with child() as one:
        assert one.order("def f(x):\n    return x") == PLAIN
        one.hear()
        send_frame(one.channel, OVER)
        one.hear()
        assert one.order("import os\ndef f(x):\n    return x") == DECLINED
        assert one.process.wait() == 0


def test_a_plain_program_that_used_much_wears_its_child_out() -> None:
    with child() as one:
        assert one.order("f = sum(range(20_000_000))") == PLAIN
        one.hear()
        send_frame(one.channel, OVER)
        assert one.hear()[2] is True


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    opened = open_sandbox("namespaces", 1)
    yield opened
    opened.close()


RIGHT = "def f(x):\n    return x + 1"
PROGRAMS: dict[str, Outcome] = {
    RIGHT: Outcome.PASSED,
    "def f(x):\n    return x + 2": Outcome.FAILED,
    "def f(x):\n    return x + 1 + x // 3": Outcome.FAILED,
    "def f(x):\n    raise ValueError(x)": Outcome.ERROR,
    "def f(x):\n    while x > 1: pass\n    return x + 1": Outcome.TIMED_OUT,
    "def f(x):\n    raise SystemExit": Outcome.ERROR,
    "def f(x)\n    return x": Outcome.SYNTAX_ERROR,
    "def f(x):\n    return f(x)": Outcome.ERROR,
    "def f(x):\n    return [0] * 400_000_000 and x + 1": Outcome.OUT_OF_MEMORY,
    "import os\ndef f(x):\n    os._exit(0)": Outcome.ERROR,
    "import os\ndef f(x):\n    os.abort()": Outcome.ERROR,
    "import builtins\nbuiltins.sum = len\ndef f(x):\n    return x + 1": Outcome.PASSED,
    "def f(x):\n    print('x' * 5_000_000)\n    raise ValueError": Outcome.OUTPUT_LIMIT,
    "f": Outcome.ERROR,
    "def f(x):\n    return (lambda y: y + 1)(x)": Outcome.PASSED,
    "def g():\n    try:\n        yield 1\n    finally:\n        while True: pass\n"
    "one = g()\ndef f(x):\n    return next(one) if x < 0 else x + 1": Outcome.PASSED,
}


def test_verdicts_do_not_depend_on_who_came_before(sandbox: Sandbox) -> None:
    alone = [next(sandbox.judge(ASKS_TWICE, [program])) for program in PROGRAMS]
    assert [verdict.outcome for verdict in alone] == list(PROGRAMS.values())
    for mixed in (
        list(PROGRAMS),
        [*reversed(PROGRAMS)],
        [one for p in PROGRAMS for one in (RIGHT, p)],
    ):
        found = sandbox.judge(ASKS_TWICE, mixed)
        outcomes = [
            (program, verdict.outcome) for program, verdict in zip(mixed, found, strict=True)
        ]
        assert outcomes == [(program, PROGRAMS[program]) for program in mixed]

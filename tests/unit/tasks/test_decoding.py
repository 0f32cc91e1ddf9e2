from __future__ import annotations

import subprocess
import sys

#: makes the same new types over and over, and lets four threads meet each of them at once
_MEETING = """
import sys, threading, types
import msgspec
from crucible_tasks.decoding import decoder

TYPES = '''
from __future__ import annotations
from dataclasses import dataclass

@dataclass(frozen=True, slots=True)
class Leaf:
    number: int
    text: str | None = None

@dataclass(frozen=True, slots=True)
class Branch:
    leaves: tuple[Leaf, ...]
    best: Leaf | None = None

@dataclass(frozen=True, slots=True)
class Tree:
    branch: Branch
    branches: tuple[Branch, ...] = ()
'''

DATA = b'{"branch": {"leaves": [{"number": 1}]}, "branches": [{"leaves": [{"number": 2}]}]}'

sys.setswitchinterval(1e-6)
for round in range(300):
    module = sys.modules[f"module_{round}"] = types.ModuleType(f"module_{round}")
    exec(TYPES, module.__dict__)
    start = threading.Barrier(4)

    def meet():
        start.wait()
        decoder(module.Tree).decode(DATA)
        msgspec.convert(msgspec.json.decode(DATA), module.Tree)

    threads = [threading.Thread(target=meet) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_threads_may_meet_a_type_at_the_same_time() -> None:
    # without `decoder` the process dies of SIGSEGV within a few rounds
    assert subprocess.run([sys.executable, "-c", _MEETING], check=False).returncode == 0

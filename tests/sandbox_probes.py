"""One program, one challenge: what the sandbox's tests ask again and again."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from crucible_infra import settings
from crucible_infra.errors import SandboxUnavailable
from crucible_tasks.challenge import Challenge, Language, Limits, ScriptTests, Tests
from crucible_tasks.verdict import Verdict
from crucible_workers.sandbox import BACKENDS as ALL_BACKENDS
from crucible_workers.sandbox.containers import find_engine
from crucible_workers.sandbox.guard import WallGuard
from crucible_workers.sandbox.slots import SlotSandbox

QUICK_LIMITS = Limits(cpu_seconds=1.0, memory_mib=1024, processes=32, file_mib=16, output_mib=4)

#: a guard that a test can wait for
SHORT_GUARD = WallGuard(least_seconds=0.5, factor=0.5, last_word_seconds=2.0)


def _has_engine() -> bool:
    """Whether containers can be started; an engine is the host's, no set-up of ours brings it."""
    try:
        engine = find_engine()
        subprocess.run([engine.path, "info"], check=True, capture_output=True, timeout=20)
    except (SandboxUnavailable, subprocess.SubprocessError):
        return False
    return True


#: those that this host can be expected to offer
BACKENDS = tuple(name for name in ALL_BACKENDS if name != "container" or _has_engine())

__all__ = ["BACKENDS", "QUICK_LIMITS", "SHORT_GUARD", "challenge_of", "judge", "opened"]


@contextlib.contextmanager
def opened(backend: str, slots: int = 1, guard: WallGuard | None = None) -> Iterator[SlotSandbox]:
    """A sandbox; where the host cannot, a skip at home and a failure where everything must be."""
    sandbox = SlotSandbox(backend, slots, guard)
    try:
        judge(sandbox, "x = 1", "assert x == 1")
    except SandboxUnavailable as error:
        give_up(error)
    try:
        yield sandbox
    finally:
        sandbox.close()


def give_up(error: SandboxUnavailable) -> NoReturn:
    """This host cannot: a skip at home, a failure where everything must be."""
    if settings.read(os.environ).is_ci:
        pytest.fail(str(error))
    pytest.skip(str(error))


def challenge_of(tests: Tests | str, prompt: str = "", entry_point: str | None = None) -> Challenge:
    """A Python challenge with quick limits."""
    given = ScriptTests(tests) if isinstance(tests, str) else tests
    return Challenge("probe", Language.PYTHON, prompt, entry_point, given, limits=QUICK_LIMITS)


def judge(sandbox: SlotSandbox, program: str, tests: Tests | str, **changes: object) -> Verdict:
    """The verdict on one program; `changes` are fields of the challenge."""
    challenge = replace(challenge_of(tests), **changes)  # type: ignore[arg-type]
    return next(sandbox.judge(challenge, [program]))


def descendants(parent: int) -> set[int]:
    """Every process below this one."""
    found: set[int] = set()
    for task in Path(f"/proc/{parent}/task").iterdir():
        with contextlib.suppress(OSError):
            for child in map(int, (task / "children").read_text().split()):
                found |= {child, *descendants(child)}
    return found

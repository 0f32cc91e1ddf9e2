"""Every backend holds every check of the self-check that it promises to hold."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from commandline import at_home
from crucible_workers.sandbox.self_check import CHECKS, Check, run_checks
from crucible_workers.sandbox.self_check.limits import SLOW_CHECKS
from crucible_workers.sandbox.slots import SlotSandbox
from sandbox_probes import BACKENDS, SHORT_GUARD, opened

REPOSITORY = Path(__file__).resolve().parents[2]
#: nobody's number
ORDINARY_USER = 23456

#: most users' group has another number than they have
ORDINARY_GROUP = 54321
IDENTITY = f"--reuid={ORDINARY_USER} --regid={ORDINARY_GROUP} --clear-groups".split()

CASES = [
    pytest.param(backend, check, id=f"{backend}-{check.topic}-{check.name}".replace(" ", "_"))
    for backend in BACKENDS
    for check in CHECKS
    # the doctor asks the other one
    if backend != "namespaces" and check.is_universal
]

#: run as another user; prints what does not hold
_SCRIPT = """
import sys
from crucible_workers.sandbox import open_sandbox
from crucible_workers.sandbox.self_check import CHECKS, run_checks
sandbox = open_sandbox("namespaces", 1)
found = list(run_checks(sandbox, CHECKS))
print(len(found), *[check.name for check, verdict in found
                    if verdict.outcome not in check.expected], sep="|")
sandbox.close()
"""


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[Callable[[str], SlotSandbox]]:
    """One of each backend, opened when first asked for."""
    with contextlib.ExitStack() as stack:
        yield cache(lambda backend: stack.enter_context(opened(backend)))


@pytest.fixture(scope="module")
def doctored(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Any]:
    """What the doctor found here, by topic and name."""
    said = at_home(tmp_path_factory.mktemp("home"))("doctor", "--sandbox", "--json")
    found = json.loads(said.out)
    assert (said.code == 0) == found["is_ok"], said.err
    return {(one["topic"], one["name"]): one for one in found["checks"]}


@pytest.mark.parametrize(("backend", "check"), CASES)
def test_a_check_holds(sandboxes: Callable[[str], SlotSandbox], backend: str, check: Check) -> None:
    ((_, verdict),) = run_checks(sandboxes(backend), (check,))

    assert verdict.outcome in check.expected, verdict.detail


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check.topic}-{check.name}")
def test_the_doctor_finds_that_a_check_holds(
    doctored: dict[tuple[str, str], Any], check: Check
) -> None:
    found = doctored[check.topic, check.name]

    assert found["is_ok"], found["detail"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_slow_checks_hold_with_a_guard_that_a_test_can_wait_for(backend: str) -> None:
    with opened(backend, guard=SHORT_GUARD) as sandbox:
        wrong = [
            (check.name, verdict)
            for check, verdict in run_checks(sandbox, SLOW_CHECKS)
            if verdict.outcome not in check.expected
        ]

    assert wrong == []


def test_no_two_checks_have_one_name() -> None:
    names = [check.name for check in (*CHECKS, *SLOW_CHECKS) if "nothing left" not in check.name]

    assert len(set(names)) == len(names)


def test_every_check_holds_for_an_ordinary_user() -> None:
    python = _python_for_everybody()
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can become another user, with setpriv")
    if python is None:
        pytest.skip("no Python >= 3.11 with our requirements is readable by everybody")
    done = subprocess.run(
        ["setpriv", *IDENTITY, *python, "-c", _SCRIPT],
        env=_environment(),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )

    count, _, failed = done.stdout.strip().partition("|")
    assert (count, failed) == (str(len(CHECKS)), ""), done.stderr[-2000:]


def _python_for_everybody() -> list[str] | None:
    """An interpreter that an ordinary user can run with this project and its requirements."""
    for python in (sys.executable, "/usr/bin/python3"):
        # exec may still be allowed what the process it starts is not
        program = "import sys; open(sys.executable).close(); import crucible_workers.sandbox"
        command = ["setpriv", *IDENTITY, python, "-c", program]
        done = subprocess.run(
            command, env=_environment(), cwd="/", capture_output=True, check=False
        )
        if done.returncode == 0:
            return [python]
    return None


def _environment() -> dict[str, str]:
    folders = [str(REPOSITORY / room) for room in ("infra", "tasks", "workers")]
    packages = [path for path in sys.path if path.endswith("site-packages")]
    return {
        "HOME": "/",
        "PYTHONPATH": os.pathsep.join([*folders, *packages]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }

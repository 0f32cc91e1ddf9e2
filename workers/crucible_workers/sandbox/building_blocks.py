"""What this host offers to build a sandbox from, and which of it the chosen backend needs."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from crucible_tasks.evaluation import BuildingBlock
from crucible_workers.sandbox.cgroup_places import CONTROLLERS, find_places
from crucible_workers.sandbox.prison import landlock
from crucible_workers.sandbox.runtime import find_runtime

#: brought `mount_setattr`
_OLDEST_KERNEL = (5, 12)
_TRIAL_SECONDS = 30.0
_BOOTSTRAP = "import sys; sys.path.insert(0, sys.argv[1]); from prison.offers import main; main()"
_ENGINES = ("docker", "podman")


def find_blocks(backend: str) -> tuple[BuildingBlock, ...]:
    """Every building block, in the order in which people read them."""
    needs_walls = backend == "namespaces"
    return (
        _kernel(is_needed=needs_walls),
        _user(),
        *_offers(is_needed=needs_walls),
        _landlock(),
        *_cgroups(),
        _python(),
        _program("Node", ("node",), is_needed=False),
        _program("container engine", _ENGINES, is_needed=backend == "container"),
    )


def _kernel(*, is_needed: bool) -> BuildingBlock:
    release = platform.release()
    numbers = re.match(r"(\d+)\.(\d+)", release)
    is_new = numbers is not None and tuple(map(int, numbers.groups())) >= _OLDEST_KERNEL
    wanted = ".".join(map(str, _OLDEST_KERNEL))
    found = f"{platform.system()} {release} {platform.machine()}"
    return BuildingBlock(
        "kernel", is_new, is_needed, found if is_new else f"{found}, older than {wanted}"
    )


def _user() -> BuildingBlock:
    number = os.geteuid()
    found = "root" if number == 0 else f"ordinary user {number}"
    return BuildingBlock("user", is_there=True, is_needed=False, found=found)


def _offers(*, is_needed: bool) -> Iterator[BuildingBlock]:
    for name, number in _tried().items():
        found = "works" if number == 0 else os.strerror(number)
        yield BuildingBlock(name, number == 0, is_needed, found)


def _tried() -> dict[str, int]:
    """What `prison.offers` says, in an interpreter that has nothing to lose."""
    folder = str(Path(__file__).parent)
    said = subprocess.run(  # noqa: S603 -- our own interpreter and code
        [sys.executable, "-s", "-S", "-P", "-B", "-c", _BOOTSTRAP, folder],
        capture_output=True,
        timeout=_TRIAL_SECONDS,
        check=True,
    )
    found: dict[str, int] = json.loads(said.stdout)
    return found


def _landlock() -> BuildingBlock:
    version = landlock.abi_version()
    found = f"ABI {version}" if version else "absent: not in this kernel, or not in its lsm= list"
    return BuildingBlock("landlock", version > 0, is_needed=False, found=found)


def _cgroups() -> Iterator[BuildingBlock]:
    places = {place.controller: place for place in find_places()}
    for controller in CONTROLLERS:
        place = places.get(controller)
        found = "absent: none that this user may write"
        if place is not None:
            found = f"version {place.version}, {place.directory}"
        yield BuildingBlock(f"{controller} cgroup", place is not None, is_needed=False, found=found)


def _python() -> BuildingBlock:
    """What programs run on and may import: the interpreter that runs us, and few packages."""
    found = ", ".join((platform.python_version(), *find_runtime().packages))
    return BuildingBlock("Python", is_there=True, is_needed=False, found=found)


def _program(name: str, choices: tuple[str, ...], *, is_needed: bool) -> BuildingBlock:
    path = next(filter(None, map(shutil.which, choices)), None)
    if path is None:
        return BuildingBlock(
            name, is_there=False, is_needed=is_needed, found=f"absent: no {' or '.join(choices)}"
        )
    said = subprocess.run(  # noqa: S603 -- found on the user's own PATH
        [path, "--version"], capture_output=True, text=True, timeout=_TRIAL_SECONDS, check=False
    )
    version = said.stdout.strip() or "says no version"
    return BuildingBlock(name, said.returncode == 0, is_needed, f"{version}, {path}")

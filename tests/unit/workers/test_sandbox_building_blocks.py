"""What this host offers, found by trying."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import pytest

from crucible_tasks.evaluation import BuildingBlock
from crucible_workers.sandbox.building_blocks import find_blocks


def blocks(backend: str) -> dict[str, BuildingBlock]:
    return {block.name: block for block in find_blocks(backend)}


def test_every_block_says_what_was_found() -> None:
    found = blocks("namespaces")

    assert all(block.found for block in found.values())
    assert platform.release() in found["kernel"].found
    assert found["user"].found == "root" if os.geteuid() == 0 else "ordinary" in found["user"].found


def test_walls_are_needed_by_the_backend_that_builds_them() -> None:
    needed = {name for name, block in blocks("namespaces").items() if block.is_needed}

    assert {"kernel", "user namespace", "mounts of its own", "seccomp filter"} <= needed
    assert not needed & {"landlock", "memory cgroup", "Node", "container engine"}
    assert not any(block.is_needed for block in blocks("process").values())


def test_an_old_kernel_is_named_as_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "release", lambda: "5.10.0-28-amd64")

    kernel = blocks("namespaces")["kernel"]

    assert not kernel.is_there
    assert kernel.found.endswith("older than 5.12")


def test_a_program_that_is_not_installed_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    found = blocks("container")

    assert (found["Node"].is_there, found["Node"].found) == (False, "absent: no node")
    assert found["container engine"].is_needed
    assert found["container engine"].found == "absent: no docker or podman"


def test_a_namespace_that_is_refused_is_found_out_by_trying(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can take a right from itself")
    # mapping root takes a capability since Linux 5.12; without it a user namespace is worthless
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec setpriv --bounding-set=-all {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))

    found = blocks("namespaces")

    assert found["no_new_privs"].is_there
    assert not found["user namespace"].is_there
    assert found["user namespace"].found == "Operation not permitted"


def test_what_programs_run_on_is_named_with_its_packages() -> None:
    found = blocks("namespaces")["Python"].found

    assert found.startswith(platform.python_version())
    assert "numpy" in found

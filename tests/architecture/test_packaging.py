"""The wheel: four packages with everything they need, and nothing that breaks other projects."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from crucible_infra import settings
from source_tree import PACKAGES, ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    if find_spec("hatchling") is None:
        reason = "hatchling, which builds the wheel, is not installed"
        if settings.read(os.environ).is_ci:
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=100,
    )
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_holds_our_four_packages_and_no_generic_name(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    packages = {package.name for package in PACKAGES}

    assert packages <= tops
    assert [top for top in tops - packages if not top.endswith(".dist-info")] == []


def test_every_file_of_a_package_is_shipped(wheel: zipfile.ZipFile) -> None:
    shipped = set(wheel.namelist())
    missing = [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
        if path.relative_to(package.parent).as_posix() not in shipped
    ]

    assert missing == []


@pytest.mark.parametrize(
    "folder",
    [
        "crucible_infra/database/migrations/",
        "crucible_workers/nano/weights/",
        "crucible_workers/sandbox/prison/",
    ],
)
def test_what_is_run_but_never_imported_is_shipped(folder: str, wheel: zipfile.ZipFile) -> None:
    assert [name for name in wheel.namelist() if name.startswith(folder)]


def test_the_only_command_is_crucible(wheel: zipfile.ZipFile) -> None:
    (entry_points,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    lines = wheel.read(entry_points).decode().split()

    assert [line for line in lines if not line.startswith("[")] == [
        "crucible",
        "=",
        "crucible_api.entry:main",
    ]
    assert not [name for name in wheel.namelist() if Path(name).name == "cc"]
    assert not [name for name in wheel.namelist() if ".data/" in name]


def test_no_test_is_shipped(wheel: zipfile.ZipFile) -> None:
    assert [name for name in wheel.namelist() if "test_" in name or "conftest" in name] == []

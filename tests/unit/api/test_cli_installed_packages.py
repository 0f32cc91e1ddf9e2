"""Where a repository's packages are, from what users call the place."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import pytest

from crucible_api.cli.installed_packages import package_directories
from crucible_infra.errors import InvalidInput

VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
OWN = sysconfig.get_path("purelib")


def _environment(root: Path, version: str = VERSION, *, has_pytest: bool = True) -> Path:
    packages = root / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    if has_pytest:
        (packages / "_pytest").mkdir()
    (root / "bin").mkdir()
    (root / "bin" / "python").write_text("")
    (root / "pyvenv.cfg").write_text("")
    return packages


def test_an_environment_its_python_and_a_directory_are_understood(tmp_path: Path) -> None:
    packages = _environment(tmp_path / "e")

    for given in (tmp_path / "e", tmp_path / "e" / "bin" / "python", packages):
        assert package_directories(tmp_path, [given]) == (str(packages),)


def test_the_repositorys_own_environment_is_taken_unless_another_is_named(tmp_path: Path) -> None:
    packages = _environment(tmp_path / "here" / ".venv")
    other = _environment(tmp_path / "there")

    assert package_directories(tmp_path / "here", []) == (str(packages),)
    assert package_directories(tmp_path / "here", [tmp_path / "there"]) == (str(other),)


def test_pytest_may_come_from_where_crucible_is_installed(tmp_path: Path) -> None:
    packages = _environment(tmp_path / "e", has_pytest=False)

    assert package_directories(tmp_path, [tmp_path / "e"]) == (str(packages), OWN)
    assert package_directories(tmp_path, []) == (OWN,)


def test_an_environment_of_another_python_is_refused(tmp_path: Path) -> None:
    _environment(tmp_path / "e", "python3.1")

    with pytest.raises(InvalidInput, match=r"packages for python3\.1, and the sandbox runs"):
        package_directories(tmp_path, [tmp_path / "e"])


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nowhere: no such file or directory"):
        package_directories(tmp_path, [tmp_path / "nowhere"])

"""Collecting a repository's tests: what is imported is the repository's own."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from crucible_infra import settings
from crucible_infra.artifacts import open_store
from crucible_tasks.repository.snapshot import Snapshot
from crucible_tasks.survey import SurveyRequest
from crucible_workers.sandbox.prisons import Cell
from crucible_workers.sandbox.repositories import Repository, find_repository, keep_archive
from crucible_workers.sandbox.repository_slot import open_suite
from crucible_workers.sandbox.runtime import find_runtime
from crucible_workers.survey_repository import survey_repository
from small_repository import pytest_alone

_TEST = b"import iniconfig\n\ndef test_own():\n    assert iniconfig.OWN\n"

_READ_ONLY = b"""
import os, iniconfig, pytest

@pytest.mark.parametrize("path", [iniconfig.__file__, pytest.__file__, __file__])
def test_read_only(path):
    assert os.statvfs(path).f_flag & os.ST_RDONLY
    with pytest.raises(OSError):
        open(path, "ab")
"""


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Pytest and what it imports, beside a home."""
    monkeypatch.setenv("CRUCIBLE_HOME", str(tmp_path / "home"))
    settings.current.cache_clear()
    (tmp_path / "packages").mkdir()
    yield pytest_alone(tmp_path / "packages")
    settings.current.cache_clear()


def test_of_a_package_that_pytest_imports_the_repositorys_own_is_tested(packages: Path) -> None:
    installed = Path(sysconfig.get_path("purelib"), "iniconfig")
    files = {f"iniconfig/{path.name}": path.read_bytes() for path in installed.glob("*.py")}
    files["iniconfig/__init__.py"] += b"\nOWN = True\n"
    repository = _kept({**files, "test_own.py": _TEST}, packages)

    prison, names, problems = open_suite(repository, "namespaces", Cell(0, 7), (), find_runtime())

    with closing(prison):
        assert (names, problems) == (["test_own.py::test_own"], [])


def test_packages_and_repository_are_there_to_be_read_only(packages: Path) -> None:
    snapshot = Snapshot({"test_read.py": _READ_ONLY})
    store = open_store(settings.current().artifacts_url)

    found = survey_repository(SurveyRequest(store.put(snapshot.archive), (str(packages),)))

    assert found.failure is None
    assert [test.problem for test in found.tests] == [None, None, None]


def _kept(files: dict[str, bytes], packages: Path) -> Repository:
    snapshot = Snapshot(files)
    keep_archive(snapshot.archive, snapshot.digest)
    return find_repository(snapshot.digest, [str(packages)])

"""A snapshot is the same for the same tree, holds nothing hidden, and unpacks nowhere else."""

from __future__ import annotations

import lzma
from pathlib import Path

import msgspec
import pytest

from crucible_infra.errors import FormatError, InvalidInput
from crucible_tasks.repository.snapshot import Snapshot, take_snapshot, unpack
from small_repository import write_repository


def test_the_same_tree_gives_the_same_bytes_and_comes_back(tmp_path: Path) -> None:
    first = take_snapshot(write_repository(tmp_path / "first"))
    second = take_snapshot(write_repository(tmp_path / "second"))

    assert first.archive == second.archive
    assert unpack(first.archive) == first


def test_what_is_hidden_installed_built_or_linked_stays_where_it_is(tmp_path: Path) -> None:
    folder = write_repository(tmp_path)
    for name in (
        ".git/config",
        "node_modules/x.js",
        "build/lib/shop.py",
        "shop.egg-info/x",
        "a.pyc",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (folder / "shop" / "link.py").symlink_to("/etc/passwd")

    found = take_snapshot(folder).files

    assert sorted(found) == [
        "pyproject.toml",
        "shop/__init__.py",
        "shop/baskets.py",
        "shop/data/currencies.json",
        "shop/prices.py",
        "tests/test_baskets.py",
        "tests/test_prices.py",
    ]


def test_packages_are_found_beside_and_below_src() -> None:
    files = dict.fromkeys(("src/a/__init__.py", "src/b.py", "c/__init__.py", "d/x.py"), b"")

    snapshot = Snapshot(files)

    assert snapshot.roots() == ("src", ".")
    assert snapshot.own_names() == {"a", "b", "c"}


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../../x", "", "a\0b"])
def test_an_archive_that_names_a_path_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(FormatError, match="outside"):
        unpack(lzma.compress(msgspec.msgpack.encode({path: b""})))


@pytest.mark.parametrize(
    "content", [b"", b"x" * 100, lzma.compress(b"x"), lzma.compress(b"x" * 9)[:-9]]
)
def test_an_archive_that_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError, match="cannot be read"):
        unpack(content)


def test_a_directory_without_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no Python files"):
        take_snapshot(tmp_path)
    with pytest.raises(InvalidInput, match="is no directory"):
        take_snapshot(tmp_path / "missing")

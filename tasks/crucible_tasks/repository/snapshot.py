"""A snapshot: the files of a repository that its tests may need, packed under one digest.

Nothing in it is run, and nothing hidden gets in: names that begin with a dot are where secrets and
histories lie. The same tree gives the same bytes.
"""

from __future__ import annotations

import hashlib
import lzma
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import msgspec

from crucible_infra.errors import FormatError, InvalidInput

#: bytes; larger ones are data that no unit test reads
_LARGEST_FILE = 4 << 20
#: bytes of all files, unpacked: what a prison is given, and what a damaged archive may become
_LARGEST_TREE = 64 << 20
#: installed packages, caches and what was built
_SKIPPED = frozenset(
    "__pycache__ node_modules venv env build dist site-packages htmlcov eggs".split()
)
#: directories that often hold the packages
_ROOTS = ("src", "lib", "python", ".")


@dataclass(frozen=True)
class Snapshot:
    """Files by their path in the repository, sorted."""

    files: dict[str, bytes]

    @cached_property
    def archive(self) -> bytes:
        """All files in one piece."""
        return lzma.compress(msgspec.msgpack.encode(self.files), preset=6)

    @cached_property
    def digest(self) -> str:
        """The sha256 of the archive."""
        return hashlib.sha256(self.archive).hexdigest()

    def modules(self) -> Iterator[str]:
        """Paths of Python files that are no tests."""
        return (path for path in self.files if path.endswith(".py") and not is_test(path))

    def roots(self) -> tuple[str, ...]:
        """Directories from which modules are imported."""
        return tuple(root for root in _ROOTS if root == "." or self._tops(root))

    def own_names(self) -> frozenset[str]:
        """Top-level modules and packages: what an installed copy of them must not answer for."""
        return frozenset(name for root in self.roots() for name in self._tops(root))

    def _tops(self, root: str) -> set[str]:
        prefix = "" if root == "." else f"{root}/"
        found = set()
        for path in self.files:
            parts = path.removeprefix(prefix).split("/")
            if path.startswith(prefix) and path.endswith(".py"):
                is_package = f"{prefix}{parts[0]}/__init__.py" in self.files
                if is_package or len(parts) == 1:
                    found.add(parts[0].removesuffix(".py"))
        return found


def take_snapshot(directory: Path) -> Snapshot:
    """Read a repository. Raises InvalidInput when there is none, or too much of it."""
    if not directory.is_dir():
        raise InvalidInput(f"{directory}: is no directory")
    files = {}
    size = 0
    for path in sorted(_paths(directory)):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InvalidInput(f"{path}: cannot be read: {error.strerror}") from error
        size += len(content)
        if size > _LARGEST_TREE:
            raise InvalidInput(
                f"{directory}: holds more than {_LARGEST_TREE >> 20} MiB",
                hint="name the directory of one package",
            )
        files[path.relative_to(directory).as_posix()] = content
    if "package.json" not in files and not any(name.endswith(".py") for name in files):
        raise InvalidInput(f"{directory}: holds no Python files and no package.json")
    return Snapshot(files)


def unpack(archive: bytes) -> Snapshot:
    """Read what `Snapshot.archive` made; raises FormatError when it is no such thing."""
    try:
        reader = lzma.LZMADecompressor()
        content = reader.decompress(archive, max_length=2 * _LARGEST_TREE)
        files = msgspec.msgpack.decode(content, type=dict[str, bytes])
    except (lzma.LZMAError, EOFError, msgspec.DecodeError) as error:
        raise FormatError(f"a packed repository cannot be read: {error}") from error
    if not all(map(_is_safe, files)):
        raise FormatError("a packed repository names a path outside of it")
    return Snapshot(files)


def is_test(path: str) -> bool:
    """Whether a Python file holds tests or serves them, as pytest's users name those."""
    *folders, name = PurePosixPath(path).parts
    if {"test", "tests"} & set(folders):
        return True
    return name.startswith("test_") or name.endswith("_test.py") or name in _TEST_NAMES


_TEST_NAMES = frozenset(("tests.py", "test.py", "conftest.py", "setup.py", "noxfile.py"))


def _paths(directory: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if not _is_skipped(name)]
        for name in names:
            path = Path(folder, name)
            if not _is_skipped(name) and not path.is_symlink() and _is_small(path):
                yield path


def _is_skipped(name: str) -> bool:
    return name.startswith(".") or name in _SKIPPED or name.endswith((".pyc", ".egg-info"))


def _is_small(path: Path) -> bool:
    return path.is_file() and path.stat().st_size <= _LARGEST_FILE


def _is_safe(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and "\0" not in path

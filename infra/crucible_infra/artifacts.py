"""Content-addressed files: datasets, adapters and logs, by the sha256 of their bytes.

On a disk by default; any fsspec URL (`s3://bucket/folder`, `gs://…`) in a cluster, where every
host must see the same one. A digest is checked on every read, so damage is never taken for data.
Weights are larger than memory: they come and go in chunks.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from crucible_infra.errors import ArtifactMissing, DiskFull, InvalidInput, StorageError

_DIGEST = re.compile(r"[0-9a-f]{64}")

#: out of space, out of quota
_FULL = (errno.ENOSPC, errno.EDQUOT)

#: bytes of a chunk; larger ones are not quicker
CHUNK = 2**20


class ArtifactStore(ABC):
    """Where artifacts are kept; safe to share between threads and processes."""

    def __init__(self, place: str) -> None:
        #: for messages
        self.place = place

    def put(self, data: bytes) -> str:
        """Keep the bytes and return their sha256 in hex; again changes nothing.

        Raises DiskFull, or StorageError naming the place.
        """
        digest = hashlib.sha256(data).hexdigest()
        try:
            # compared rather than looked for: a damaged artifact is repaired
            if self._read(digest) != data:
                self._write(digest, data)
        except OSError as error:
            raise self._storage_error(error, "written") from error
        return digest

    def put_chunks(self, source: Callable[[], Iterable[bytes]]) -> str:
        """Keep what the source yields, however much it is, and return its sha256.

        The source is asked twice, first for the digest, so that nothing large lies in memory or
        in a file of its own. Raises as `put` does, and StorageError when the second time yielded
        something else.
        """
        digest = _sha256(source())
        try:
            if not self._is_whole(digest):
                self._write_chunks(digest, self._unchanged(source(), digest))
        except OSError as error:
            raise self._storage_error(error, "written") from error
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes with this digest.

        Raises ArtifactMissing when they are not there or are damaged, StorageError when the place
        cannot be read.
        """
        _check_digest(digest)
        try:
            data = self._read(digest)
        except OSError as error:
            raise self._storage_error(error, "read") from error
        if data is None:
            raise self._missing(digest)
        if hashlib.sha256(data).hexdigest() != digest:
            raise self._damaged(digest)
        return data

    def chunks(self, digest: str) -> Iterator[bytes]:
        """The same piece by piece: none may be used before the last came, as damage shows then."""
        _check_digest(digest)
        found = hashlib.sha256()
        for chunk in self._stored(digest):
            found.update(chunk)
            yield chunk
        if found.hexdigest() != digest:
            raise self._damaged(digest)

    def size(self, digest: str) -> int:
        """How many bytes it has, as they lie there. Raises ArtifactMissing, StorageError."""
        _check_digest(digest)
        try:
            return self._size(digest)
        except FileNotFoundError as error:
            raise self._missing(digest) from error
        except OSError as error:
            raise self._storage_error(error, "read") from error

    def remove(self, digest: str) -> None:
        """Give the space back; what is not there is gone already. Raises StorageError."""
        _check_digest(digest)
        try:
            self._remove(digest)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._storage_error(error, "changed") from error

    def _stored(self, digest: str) -> Iterator[bytes]:
        try:
            with self._open(digest) as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except FileNotFoundError as error:
            raise self._missing(digest) from error
        except OSError as error:
            raise self._storage_error(error, "read") from error

    def _is_whole(self, digest: str) -> bool:
        try:
            return _sha256(self._stored(digest)) == digest
        except ArtifactMissing:
            return False

    def _unchanged(self, chunks: Iterable[bytes], digest: str) -> Iterator[bytes]:
        found = hashlib.sha256()
        for chunk in chunks:
            found.update(chunk)
            yield chunk
        if found.hexdigest() != digest:
            raise StorageError(f"what was to be stored in {self.place} changed meanwhile")

    @abstractmethod
    def _read(self, digest: str) -> bytes | None:
        """The stored bytes, unchecked; None when there are none."""

    @abstractmethod
    def _write(self, digest: str, data: bytes) -> None:
        """Store the bytes at once or not at all."""

    @abstractmethod
    def _open(self, digest: str) -> BinaryIO:
        """The stored bytes as a file; FileNotFoundError when there are none."""

    @abstractmethod
    def _size(self, digest: str) -> int:
        """Of the stored bytes; FileNotFoundError when there are none."""

    @abstractmethod
    def _remove(self, digest: str) -> None:
        """Remove the stored bytes; FileNotFoundError when there are none."""

    @abstractmethod
    def _write_chunks(self, digest: str, chunks: Iterable[bytes]) -> None:
        """Store all chunks or, when one cannot be had, nothing."""

    def _missing(self, digest: str) -> ArtifactMissing:
        hint = "every host must see the same CRUCIBLE_ARTIFACTS_URL"
        return ArtifactMissing(f"{self.place} does not hold {digest}", hint=hint)

    def _damaged(self, digest: str) -> ArtifactMissing:
        hint = "store it again, for example by starting the run again"
        return ArtifactMissing(f"{digest} in {self.place} is damaged", hint=hint)

    def _storage_error(self, error: OSError, action: str) -> StorageError:
        if error.errno in _FULL:
            return DiskFull(f"{self.place}: no space is left")
        return StorageError(
            f"{self.place} cannot be {action}: {error.strerror or error}",
            hint="set CRUCIBLE_ARTIFACTS_URL or CRUCIBLE_HOME to a place this user can write",
        )


class _LocalStore(ArtifactStore):
    """Files below a folder, spread over 256 sub-folders."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self._folder = folder

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest

    def _read(self, digest: str) -> bytes | None:
        try:
            return self._path(digest).read_bytes()
        except FileNotFoundError:
            return None

    def _write(self, digest: str, data: bytes) -> None:
        self._write_chunks(digest, (data,))

    def _open(self, digest: str) -> BinaryIO:
        return self._path(digest).open("rb")

    def _size(self, digest: str) -> int:
        return self._path(digest).stat().st_size

    def _remove(self, digest: str) -> None:
        self._path(digest).unlink()

    def _write_chunks(self, digest: str, chunks: Iterable[bytes]) -> None:
        path = self._path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(chunks)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp is private to its user; workers under another one read this folder too
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


class _RemoteStore(ArtifactStore):
    """Objects of any fsspec file system; object stores show an object whole or not at all."""

    def __init__(self, place: str, filesystem: Any, root: str) -> None:
        super().__init__(place)
        self._filesystem = filesystem
        self._root = root.rstrip("/")

    def _path(self, digest: str) -> str:
        return f"{self._root}/{digest[:2]}/{digest}"

    def _read(self, digest: str) -> bytes | None:
        try:
            return bytes(self._filesystem.cat_file(self._path(digest)))
        except FileNotFoundError:
            return None

    def _write(self, digest: str, data: bytes) -> None:
        path = self._path(digest)
        self._filesystem.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        self._filesystem.pipe_file(path, data)

    def _open(self, digest: str) -> BinaryIO:
        file: BinaryIO = self._filesystem.open(self._path(digest), "rb")
        return file

    def _size(self, digest: str) -> int:
        return int(self._filesystem.size(self._path(digest)))

    def _remove(self, digest: str) -> None:
        self._filesystem.rm_file(self._path(digest))

    def _write_chunks(self, digest: str, chunks: Iterable[bytes]) -> None:
        path = self._path(digest)
        self._filesystem.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        try:
            with self._filesystem.open(path, "wb") as file:
                for chunk in chunks:
                    file.write(chunk)
        except BaseException:
            # leaving the block has stored what was there so far
            if self._filesystem.exists(path):
                self._filesystem.rm_file(path)
            raise


def _check_digest(digest: str) -> None:
    if not _DIGEST.fullmatch(digest):
        raise ArtifactMissing(f"{digest!r} is not a sha256 digest")


def _sha256(chunks: Iterable[bytes]) -> str:
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
    return found.hexdigest()


def open_store(url: str) -> ArtifactStore:
    """The store at a folder's path or an fsspec URL.

    Raises InvalidInput when no installed package knows the URL's scheme.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return _LocalStore(Path(url))
    if scheme in ("file", "local"):
        return _LocalStore(Path(rest))
    import fsspec  # noqa: PLC0415 -- a laptop's folder does without it

    try:
        filesystem, root = fsspec.url_to_fs(url)
    except (ImportError, ValueError) as error:
        hint = f"install the fsspec package for {scheme}: {error}"
        raise InvalidInput(f"CRUCIBLE_ARTIFACTS_URL: cannot open {scheme}://", hint=hint) from error
    return _RemoteStore(f"{scheme}://{root}", filesystem, root)

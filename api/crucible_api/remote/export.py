"""A run's files from its server: a tar that is unpacked as it comes."""

from __future__ import annotations

import errno
import io
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from crucible_infra.errors import CrucibleError, DiskFull, StorageError

#: bytes read at once
_CHUNK = 2**16

#: no export has more files
_MOST_FILES = 20


def unpack(chunks: Iterator[bytes], directory: Path) -> tuple[Path, ...]:
    """Write every file, all of them or none, and return their paths.

    Whatever is no plain file of a plain name is refused: a server is trusted with results, not
    with this host. Raises StorageError, DiskFull, CrucibleError.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory, prefix=".export-") as folder:
            names = list(_written(chunks, Path(folder)))
            for name in names:
                (Path(folder) / name).replace(directory / name)
    except tarfile.TarError as error:
        raise CrucibleError(f"the server's export is broken: {error}") from error
    except OSError as error:
        kind = DiskFull if error.errno == errno.ENOSPC else StorageError
        raise kind(f"{directory}: cannot be written: {error.strerror or error}") from error
    return tuple(directory / name for name in names)


def _written(chunks: Iterator[bytes], folder: Path) -> Iterator[str]:
    with tarfile.open(fileobj=_Stream(chunks), mode="r|") as archive:
        for number, member in enumerate(archive):
            file = archive.extractfile(member) if member.isreg() else None
            # below one folder, which is named after the run
            *above, name = member.name.split("/")
            if file is None or len(above) > 1 or not _is_plain(name) or number >= _MOST_FILES:
                raise tarfile.TarError(f"it holds {member.name[:80]!r}")
            target = folder / name
            with target.open("xb") as written:
                while piece := file.read(_CHUNK):
                    written.write(piece)
            target.chmod(0o644)
            yield name


def _is_plain(name: str) -> bool:
    return bool(name) and not name.startswith(".") and name.isprintable()


class _Stream(io.RawIOBase):
    """What comes in pieces, as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._left = b""

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """As many bytes as are wanted, fewer only at the end."""
        while size < 0 or len(self._left) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._left += chunk
        size = len(self._left) if size < 0 else size
        taken, self._left = self._left[:size], self._left[size:]
        return taken

"""The artifact store of another host, through its server."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from crucible_api.remote.connection import Server
from crucible_infra.artifacts import CHUNK, ArtifactStore
from crucible_infra.errors import ArtifactMissing, StorageError


class RemoteArtifacts(ArtifactStore):
    """Artifacts are sent only where the server lacks them; it checks what comes."""

    def __init__(self, server: Server) -> None:
        super().__init__(server.url)
        self._server = server

    def put(self, data: bytes) -> str:
        """Have the server keep the bytes, unless it has them; returns their sha256 in hex."""
        return self.put_chunks(lambda: (data,))

    def put_chunks(self, source: Callable[[], Iterable[bytes]]) -> str:
        """The same for what is too large for memory; the source is asked twice."""
        found = hashlib.sha256()
        for chunk in source():
            found.update(chunk)
        digest = found.hexdigest()
        if self._server.size(f"/artifacts/{digest}") is None:
            self._server.upload(f"/artifacts/{digest}", lambda: _pieces(source()))
        return digest

    def _read(self, digest: str) -> bytes | None:
        try:
            with self._server.download(f"/artifacts/{digest}") as chunks:
                return b"".join(chunks)
        except ArtifactMissing:
            return None

    def _stored(self, digest: str) -> Iterator[bytes]:
        with self._server.download(f"/artifacts/{digest}") as chunks:
            yield from chunks

    def _size(self, digest: str) -> int:
        size = self._server.size(f"/artifacts/{digest}")
        if size is None:
            raise FileNotFoundError(digest)
        return size

    def _open(self, digest: str) -> BinaryIO:
        data = self._read(digest)
        if data is None:
            raise FileNotFoundError(digest)
        return io.BytesIO(data)

    def _write(self, digest: str, data: bytes) -> None:
        self._write_chunks(digest, (data,))

    def _write_chunks(self, digest: str, chunks: Iterable[bytes]) -> None:
        whole = tuple(chunks)
        self._server.upload(f"/artifacts/{digest}", lambda: _pieces(whole))

    def _remove(self, digest: str) -> None:
        raise StorageError(f"{self.place} removes its artifacts itself: {digest} stays")


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """No piece larger than a connection likes."""
    for chunk in chunks:
        for start in range(0, len(chunk), CHUNK):
            yield chunk[start : start + CHUNK]

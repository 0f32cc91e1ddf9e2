"""Fetch a dataset's file once from its official home, and check its digest every time."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import logging
import os
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from crucible_infra.errors import DatasetUnavailable, FormatError

_log = logging.getLogger(__name__)

#: without a byte for this long, the connection is dead
_IDLE_SECONDS = 20.0
#: the largest known file has 1 MB, so a link this slow is broken
_TOTAL_SECONDS = 300.0
#: none of the known files comes near this
_LARGEST_BYTES = 64 * 2**20
_CHUNK_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class Source:
    """Where a file comes from and which bytes it must have."""

    url: str
    #: below the cache directory
    file_name: str
    sha256: str
    #: of the data, as its publisher states it
    licence: str


def fetch(source: Source, directory: Path) -> Path:
    """Return the file's path below `directory`, downloading it if it is not there.

    Raises DatasetUnavailable when it cannot be had, and FormatError when the file that lies there
    is not the official one.
    """
    path = directory / source.file_name
    if path.exists():
        check(path, source.sha256)
        return path
    content = _download(source, path)
    try:
        _write(path, content)
    except OSError as error:
        raise DatasetUnavailable(f"{path}: cannot be written: {error.strerror}") from error
    _log.info("fetched %s (%s) from %s", path, source.licence, source.url)
    return path


def check(path: Path, sha256: str) -> None:
    """Raise FormatError unless the file has this digest."""
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise FormatError.at(path, None, f"cannot be read: {error.strerror}") from error
    if found != sha256:
        raise FormatError(
            f"{path}: sha256 {found[:12]}… is not the official file's {sha256[:12]}…",
            hint="delete the file to fetch it again, or give its path to use it as it is",
        )


class _SecureRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https only: a digest protects the content, not what is asked for."""

    def redirect_request(  # noqa: PLR0913, PLR0917 -- urllib's signature
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not newurl.startswith("https://"):
            fp.close()
            raise urllib.error.URLError(f"redirected to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _download(source: Source, path: Path) -> bytes:
    try:
        content = _read(source.url)
    except urllib.error.HTTPError as error:
        # it is the open response as well
        with error:
            raise _unavailable(source, path, f"HTTP {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _unavailable(source, path, str(getattr(error, "reason", error))) from error
    found = hashlib.sha256(content).hexdigest()
    if found != source.sha256:
        raise _unavailable(
            source, path, f"it answered sha256 {found[:12]}…, not {source.sha256[:12]}…"
        )
    return content


def _read(url: str) -> bytes:
    opener = urllib.request.build_opener(_SecureRedirects)
    deadline = time.monotonic() + _TOTAL_SECONDS
    content = bytearray()
    with opener.open(url, timeout=_IDLE_SECONDS) as response:
        while chunk := response.read1(_CHUNK_BYTES):
            content += chunk
            if len(content) > _LARGEST_BYTES:
                raise urllib.error.URLError(f"it answered more than {_LARGEST_BYTES} bytes")
            if time.monotonic() > deadline:
                raise urllib.error.URLError(f"it took more than {_TOTAL_SECONDS:.0f} s")
        expected = response.headers.get("Content-Length")
    if expected is not None and len(content) < int(expected):
        raise urllib.error.URLError(f"the answer ended after {len(content)} of {expected} bytes")
    return bytes(content)


def _unavailable(source: Source, path: Path, reason: str) -> DatasetUnavailable:
    return DatasetUnavailable(
        f"{path.name} is not in the cache and {source.url} cannot be used: {reason}",
        hint=f"download that file on another machine and put it at {path}",
    )


def _write(path: Path, content: bytes) -> None:
    """Put the whole file in place at once, so that no other process sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()

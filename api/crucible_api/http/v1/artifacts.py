"""Artifacts over HTTP: corpora, datasets, samples and weights, by the sha256 of their bytes."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path as FilePath
from typing import Annotated, BinaryIO

from fastapi import Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from crucible_api.http import wire
from crucible_api.http.forms import Stored
from crucible_api.http.routes import api_router
from crucible_api.http.services import Serving
from crucible_infra.artifacts import CHUNK
from crucible_infra.errors import DiskFull, InvalidInput, StorageError

router = api_router("artifacts", HTTPStatus.NOT_FOUND, HTTPStatus.INSUFFICIENT_STORAGE)

Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="sha256, in hexadecimal.")]

_BYTES = "application/octet-stream"
_BINARY = {"content": {_BYTES: {"schema": {"type": "string", "format": "binary"}}}}


@router.head("/{digest}", responses={200: {"description": "It is here."}}, response_class=Response)
def has_artifact(serving: Serving, digest: Digest) -> Response:
    """Tell whether the server has an artifact, and how many bytes that is."""
    size = serving.runs.artifacts.size(digest)
    return Response(None, 200, {"Content-Length": str(size)}, _BYTES)


@router.get("/{digest}", responses={200: _BINARY}, response_class=StreamingResponse)
def get_artifact(serving: Serving, digest: Digest) -> StreamingResponse:
    """Send an artifact; where it is damaged, the answer breaks off before its end."""
    serving.runs.artifacts.size(digest)
    # its length is not said, because whoever counts to it would not see that it broke off
    headers = {"Content-Disposition": "attachment"}
    return StreamingResponse(serving.runs.artifacts.chunks(digest), 200, headers, _BYTES)


@router.put(
    "/{digest}",
    status_code=HTTPStatus.CREATED,
    response_model=Stored,
    openapi_extra={"requestBody": {"required": True, **_BINARY}},
)
async def put_artifact(serving: Serving, digest: Digest, request: Request) -> Response:
    """Keep an artifact; again changes nothing.

    The body is the bytes themselves, refused where their sha256 is another one.
    """
    folder = serving.settings.data_directory
    with _translated(folder), _incoming(folder) as file:
        found, size = hashlib.sha256(), 0
        async for chunk in request.stream():
            found.update(chunk)
            size += len(chunk)
            await run_in_threadpool(file.write, chunk)
        if found.hexdigest() != digest:
            raise InvalidInput(f"the sha256 of what came is {found.hexdigest()}")
        await run_in_threadpool(serving.runs.artifacts.put_chunks, lambda: _chunks(file))
    return Response(wire.encode(Stored(digest, size)), HTTPStatus.CREATED, None, "application/json")


@contextmanager
def _incoming(folder: FilePath) -> Iterator[BinaryIO]:
    """A file without a name, on the disk that the server keeps its data on."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        yield file


@contextmanager
def _translated(folder: FilePath) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"{folder}: no space is left") from error
        raise StorageError(f"{folder}: {os.strerror(error.errno or 0)}") from error


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(CHUNK):
        yield chunk

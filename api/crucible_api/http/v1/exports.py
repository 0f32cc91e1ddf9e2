"""A run's export over HTTP: one tar archive, written while it is sent."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

from starlette.responses import StreamingResponse

from crucible_api.http.paging import Name
from crucible_api.http.routes import api_router
from crucible_api.http.services import Serving
from crucible_infra.artifacts import CHUNK

router = api_router("runs", HTTPStatus.NOT_FOUND, HTTPStatus.INSUFFICIENT_STORAGE)

_TAR = "application/x-tar"


@router.get(
    "/{run_id}/export",
    response_class=StreamingResponse,
    responses={200: {"content": {_TAR: {"schema": {"type": "string", "format": "binary"}}}}},
)
def export_run(serving: Serving, run_id: Name) -> StreamingResponse:
    """Send the run's manifest, completions and verdicts as files in a tar archive."""
    directory = TemporaryDirectory(prefix="crucible-export-")
    try:
        written = serving.runs.export(run_id, Path(directory.name))
    except BaseException:
        directory.cleanup()
        raise
    headers = {"Content-Disposition": f'attachment; filename="{run_id}.tar"'}
    return StreamingResponse(_tar(directory, written, run_id), 200, headers, _TAR)


def _tar(directory: TemporaryDirectory[str], paths: Sequence[Path], folder: str) -> Iterator[bytes]:
    with directory:
        for path in paths:
            info = tarfile.TarInfo(f"{folder}/{path.name}")
            info.size, info.mtime = path.stat().st_size, int(path.stat().st_mtime)
            yield info.tobuf()
            with path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk
            yield bytes(-info.size % tarfile.BLOCKSIZE)
        yield bytes(2 * tarfile.BLOCKSIZE)

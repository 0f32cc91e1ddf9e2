"""plotly.js as the plotly wheel brings it: read from there, packed once, and kept by browsers."""

from __future__ import annotations

import gzip
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

router = APIRouter(include_in_schema=False)

#: where a browser gets it; the version in its URL lets it be kept for ever
PATH = "/static/plotly.min.js"

_FOREVER = "public, max-age=31536000, immutable"


@router.get(PATH)
def plotly_js(request: Request) -> Response:
    """Send the script, packed where the browser takes it so."""
    headers = {"Cache-Control": _FOREVER, "Vary": "Accept-Encoding"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(source(), headers=headers, media_type="text/javascript")
    headers["Content-Encoding"] = "gzip"
    return Response(_packed(), headers=headers, media_type="text/javascript")


@cache
def url() -> str:
    """Where pages find it."""
    return f"{PATH}?v={version('plotly')}"


def source() -> bytes:
    """The script itself."""
    spec = find_spec("plotly")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0], "package_data", "plotly.min.js").read_bytes()


@cache
def _packed() -> bytes:
    return gzip.compress(source(), 6, mtime=0)

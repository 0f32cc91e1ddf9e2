"""Routes: a handler returns a value of ours, and the route says it on the wire.

The framework's own serialiser would check each value once more, and cannot write half a surrogate
pair. The document takes an operation's name from the handler and its words from the docstring.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.responses import Response

from crucible_api.http import wire
from crucible_api.http.problems import documented

Handler = Callable[..., Any]


class WireRoute(APIRoute):
    """A route whose handler returns a value of ours, or a response."""

    def __init__(self, path: str, endpoint: Handler, **rest: Any) -> None:
        summary, _, description = (inspect.getdoc(endpoint) or "").partition("\n")
        rest["summary"] = summary.rstrip(".")
        rest["description"] = description.strip()
        rest["operation_id"] = endpoint.__name__
        super().__init__(path, _encoding(endpoint, rest.get("status_code") or 200), **rest)


def api_router(noun: str, *statuses: HTTPStatus) -> APIRouter:
    """A router for one noun of the glossary, whose operations can meet these problems.

    Without a noun the operations name theirs themselves.
    """
    return APIRouter(
        prefix=f"/{noun}" if noun else "",
        tags=[noun] if noun else [],
        responses=documented(*statuses),
        route_class=WireRoute,
    )


def _encoding(endpoint: Handler, status: int) -> Handler:
    if inspect.iscoroutinefunction(endpoint):
        # it answers with a response: a stream
        return endpoint

    @functools.wraps(endpoint)
    def answer(*words: Any, **named: Any) -> Response:
        value = endpoint(*words, **named)
        if isinstance(value, Response):
            return value
        return Response(wire.encode(value), status, media_type="application/json")

    return answer

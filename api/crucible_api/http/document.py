"""The OpenAPI document: what the framework reads from the handlers, made exact.

Problem documents stand for every failure; a number that may be unknown may be null; and a token
is named where one can be asked for.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from crucible_api.http.wire import Problem

#: where NaN, which is null on the wire, says that something is not known
_UNKNOWN = {
    "Score": ("value", "low", "high"),
    "Comparison": ("effect", "low", "high", "p_value"),
}

_DESCRIPTION = """Find out honestly and fast how good a local code model is.

Every failure is a problem document (RFC 9457) whose `type` names what happened. A number that is
not known is null. A page of anything is `{"items": [...], "next": ...}`: ask for the next one with
`after`. Whoever has a token is trusted as whoever started the server.
"""


def write_document(application: FastAPI) -> None:
    """Let the application publish its document."""

    def document() -> dict[str, Any]:
        if application.openapi_schema is None:
            application.openapi_schema = _document(application)
        return application.openapi_schema

    application.openapi = document  # type: ignore[method-assign]


def _document(application: FastAPI) -> dict[str, Any]:
    found = get_openapi(
        title=application.title,
        version=application.version,
        description=_DESCRIPTION,
        routes=application.routes,
    )
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = TypeAdapter(Problem).json_schema()
    for name, fields in _UNKNOWN.items():
        for field in fields if name in schemas else ():
            schemas[name]["properties"][field] = {
                "title": schemas[name]["properties"][field]["title"],
                "anyOf": [{"type": "number"}, {"type": "null"}],
            }
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    # a token where one is asked for, and none on loopback
    found["security"] = [{"token": []}, {}]
    return found

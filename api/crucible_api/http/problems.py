"""Problem documents (RFC 9457): what went wrong, as JSON below /api and as a page elsewhere.

`type` names the error's class in our tree of errors, so that a client raises the same error, with
the same hint and exit code, as the server would have on its own command line.
"""

from __future__ import annotations

import traceback
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match

from crucible_api.http import wire
from crucible_api.http.headers import HEADERS, NOT_KEPT
from crucible_api.http.wire import PROBLEM, Problem
from crucible_api.page.rendering import render
from crucible_infra import log
from crucible_infra.errors import (
    ArtifactMissing,
    BrokerUnavailable,
    ConversationNotFound,
    CrucibleError,
    DatabaseUnavailable,
    DiskFull,
    FineTuneNotFound,
    InvalidInput,
    ModelError,
    NameTaken,
    NoWorker,
    RunNotFound,
    SandboxUnavailable,
    StorageError,
    UnknownDataset,
)

#: the first that fits; every other error of ours is the server's
_STATUSES: tuple[tuple[type[CrucibleError], HTTPStatus], ...] = (
    (RunNotFound, HTTPStatus.NOT_FOUND),
    (FineTuneNotFound, HTTPStatus.NOT_FOUND),
    (ConversationNotFound, HTTPStatus.NOT_FOUND),
    (UnknownDataset, HTTPStatus.NOT_FOUND),
    (ArtifactMissing, HTTPStatus.NOT_FOUND),
    (NameTaken, HTTPStatus.CONFLICT),
    (InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ModelError, HTTPStatus.BAD_GATEWAY),
    (DiskFull, HTTPStatus.INSUFFICIENT_STORAGE),
    (StorageError, HTTPStatus.SERVICE_UNAVAILABLE),
    (BrokerUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (NoWorker, HTTPStatus.SERVICE_UNAVAILABLE),
    (SandboxUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)


def problem_of(error: CrucibleError) -> Problem:
    """The document of an error."""
    status = next(
        (status for kind, status in _STATUSES if isinstance(error, kind)),
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )
    return wire.problem_of(error, status)


def respond(request: Request, problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """The answer to a request that met a problem."""
    if request.scope["path"].startswith("/api/"):
        return Response(wire.encode(problem), problem.status, headers, PROBLEM)
    return render(request, "problem.html", problem.status, headers, problem=problem)


def handle_problems(application: FastAPI) -> None:
    """Let every failure of a handler be answered with its problem."""
    application.add_exception_handler(CrucibleError, _ours)
    application.add_exception_handler(RequestValidationError, _invalid)
    application.add_exception_handler(HTTPException, _of_framework)
    application.add_exception_handler(PoolTimeout, _busy)
    application.add_exception_handler(ClientDisconnect, _gone)
    application.add_exception_handler(Exception, _unexpected)


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a router: its own problems, and those that any request can meet."""
    always = (
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.REQUEST_URI_TOO_LONG,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.SERVICE_UNAVAILABLE,
    )
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        int(status): {"description": status.phrase, "content": {PROBLEM: {"schema": schema}}}
        for status in sorted({*always, *statuses})
    }


def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, CrucibleError)
    return respond(request, problem_of(error))


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # a value may be a secret, or huge: its place and what is wrong are enough
    told = "; ".join(
        f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()[:5]
    )
    if not request.scope["path"].startswith("/api/"):
        # who reads a page never heard of queries
        told = told.replace("query.", "")
    return respond(request, problem_of(InvalidInput(told)))


def _busy(request: Request, error: Exception) -> Response:
    """Every connection to the database was in use for too long."""
    del error
    problem = problem_of(DatabaseUnavailable("too many ask the database at once; ask again"))
    return respond(request, problem, {"Retry-After": "5"})


def _gone(request: Request, error: Exception) -> Response:
    """The client left before it had said everything; nobody hears this."""
    del request, error
    return Response(status_code=HTTPStatus.BAD_REQUEST)


def _of_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    detail = error.detail
    if status is HTTPStatus.NOT_FOUND and detail == status.phrase:
        detail = "nothing has this address"
    problem = Problem("about:blank", status.phrase, status, detail)
    headers = dict(error.headers or {})
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods(request))
    return respond(request, problem, headers)


def _methods(request: Request) -> list[str]:
    """What this path can be asked; the framework tells of the first handler alone."""
    found = [
        method
        for method in ("GET", "POST", "PUT", "DELETE")
        for scope in [{**request.scope, "method": method}]
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes)
    ]
    return ["HEAD", *found] if "GET" in found else found


def _unexpected(request: Request, error: Exception) -> Response:
    log.error(
        "a request failed",
        path=request.scope["path"],
        traceback="".join(traceback.format_exception(error)),
    )
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    # what it says may be anybody's data; the log has it
    detail = f"unexpected {type(error).__name__}; the server's log says where"
    problem = Problem("about:blank", status.phrase, status, detail)
    # the framework answers this one outside the guard
    return respond(request, problem, HEADERS | {"Cache-Control": NOT_KEPT})

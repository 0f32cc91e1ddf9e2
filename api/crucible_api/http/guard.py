"""The guard: who may ask, how much, and what a browser may do with the answer.

- Only names this server is known by are answered (Host), so that no other site's name can be
  pointed at it (DNS rebinding).
- A request that changes something, and any to the API, comes from this server's own pages or from
  no browser at all (Origin, Sec-Fetch-Site), so that no other site can send it (CSRF).
- Where a token is asked for, every request carries it: as a bearer token (RFC 6750), or as the
  cookie that the page of the login sets.

All of it reads the request as it is routed: its path, and the first of each header.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crucible_api.http.headers import HEADERS, NOT_KEPT
from crucible_api.http.problems import respond
from crucible_api.http.tries import Tries
from crucible_api.http.wire import Problem

#: holds the token of a browser
COOKIE = "crucible_token"

LOGIN = "/login"

#: bytes of a request's body; a corpus or a file of samples is sent as an artifact
MAX_BODY = 4 * 2**20

#: bytes of an artifact: weights of some billion parameters
MAX_ARTIFACT = 32 * 2**30

#: bytes of a path with its query, and of all headers: a long cursor, some cookies
_MAX_TARGET = 16 * 2**10
_MAX_HEAD = 32 * 2**10

#: seconds between two pieces of a body
_PIECE_SECONDS = 30.0

#: seconds of a whole body but an artifact's: a slow line's for all that it may have
_BODY_SECONDS = 120.0

_API = "/api/"
_ARTIFACTS = "/api/v1/artifacts/"
_STATIC = "/static/"

_SAFE = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Rules:
    """Who is let in."""

    #: names without their port, in small letters; None answers to any, where a token is asked for
    hosts: frozenset[str] | None
    #: whether a token is good; None where none is asked for
    is_good: Callable[[str], bool] | None = field(default=None, repr=False)
    tries: Tries = field(default_factory=Tries, repr=False)


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on and add what a browser must know to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        refusal = self._refusal(request) or await self._ask_for_token(request)
        answer = self._app if refusal is None else refusal
        bound = _bound(request)
        if request.method == "HEAD" and not request.scope["path"].startswith(_ARTIFACTS):
            # what a GET would say, without its body
            scope, send = {**scope, "method": "GET"}, _without_body(send)
        path = request.scope["path"]
        seconds = _BODY_SECONDS if bound == MAX_BODY else math.inf
        await answer(scope, _bounded(receive, bound, seconds), _with_headers(send, path))

    def _refusal(self, request: Request) -> Response | None:
        """The answer to a request that goes no further."""
        headers = request.headers
        if (status := _oversized(request)) is not None:
            return _refuse(request, status, "no request needs as much")
        hosts = self._rules.hosts
        if hosts is not None and _host(headers.get("host", "")) not in hosts:
            return _refuse(request, HTTPStatus.FORBIDDEN, "this server has another name")
        is_asking = request.method in _SAFE and not request.scope["path"].startswith(_API)
        if not is_asking and not _is_own(headers, request.method):
            return _refuse(request, HTTPStatus.FORBIDDEN, "another site sent this request")
        if "transfer-encoding" in headers and "content-length" in headers:
            # a proxy before this server may not see where the body ends (RFC 9112, 6.3)
            return _refuse(request, HTTPStatus.BAD_REQUEST, "its body has two lengths")
        length, bound = headers.get("content-length", "0"), _bound(request)
        if not (length.isascii() and length.isdigit()) or int(length) > bound:
            return _refuse(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_long(bound))
        return None

    async def _ask_for_token(self, request: Request) -> Response | None:
        is_good = self._rules.is_good
        path = request.scope["path"]
        # whoever logs in has no token yet, and the page of the login has its looks
        if is_good is None or path == LOGIN or path.startswith(_STATIC):
            return None
        token = _token(request)
        if token and is_good(token):
            return None
        if token and not await self._rules.tries.wait():
            detail = "too many wrong tokens at once"
            return _refuse(request, HTTPStatus.TOO_MANY_REQUESTS, detail, {"Retry-After": "10"})
        if path.startswith(_API):
            detail = "a token is needed: crucible token create, on the server's host"
            return _refuse(request, HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})
        query = request.url.query
        place = f"{path}?{query}" if query else path
        return RedirectResponse(f"{LOGIN}?next={quote(place)}", HTTPStatus.SEE_OTHER)


def _oversized(request: Request) -> HTTPStatus | None:
    """What is said of a request line or headers that are too long."""
    scope = request.scope
    if len(scope["raw_path"]) + len(scope["query_string"]) > _MAX_TARGET:
        return HTTPStatus.REQUEST_URI_TOO_LONG
    if sum(len(name) + len(value) for name, value in scope["headers"]) > _MAX_HEAD:
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    return None


def _bound(request: Request) -> int:
    """How many bytes the body may have."""
    is_artifact = request.method == "PUT" and request.scope["path"].startswith(_ARTIFACTS)
    return MAX_ARTIFACT if is_artifact else MAX_BODY


def _too_long(bound: int) -> str:
    return f"this request has at most {bound} bytes"


def _bounded(receive: Receive, bound: int, seconds: float) -> Receive:
    """Receive no more than a body may have, whatever its head says, and not for ever."""
    read, is_whole = 0, False
    end = time.monotonic() + seconds

    async def receive_bounded() -> Message:
        nonlocal read, is_whole
        if is_whole:
            # the end of the connection, which may be far
            return await receive()
        try:
            async with asyncio.timeout(min(_PIECE_SECONDS, end - time.monotonic())):
                message = await receive()
        except TimeoutError as error:
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, "the body does not come") from error
        read += len(message.get("body", b""))
        is_whole = not message.get("more_body", False)
        if read > bound:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_long(bound))
        return message

    return receive_bounded


def _with_headers(send: Send, path: str) -> Send:
    # a file is asked for by its ETag
    kept = "no-cache" if path.startswith(_STATIC) else NOT_KEPT

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", kept)
        await send(message)

    return send_with_headers


def _without_body(send: Send) -> Send:
    is_over = False

    async def send_without_body(message: Message) -> None:
        nonlocal is_over
        if message["type"] == "http.response.start":
            await send(message)
        elif not is_over:
            is_over = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_without_body


def _refuse(
    request: Request, status: HTTPStatus, detail: str, headers: dict[str, str] | None = None
) -> Response:
    return respond(request, Problem("about:blank", status.phrase, status, detail), headers)


def _is_own(headers: Headers, method: str) -> bool:
    """Whether a request is one of this server's pages', or no browser's."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None or method in _SAFE:
        return True
    try:
        sender = urlsplit(origin).netloc
    except ValueError:
        return False
    return bool(sender) and sender == headers.get("host")


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else request.cookies.get(COOKIE, "")


def _host(header: str) -> str:
    """The name in a Host header, without its port."""
    name = header.lower()
    return name.rpartition(":")[0] if name.rpartition(":")[2].isdigit() else name

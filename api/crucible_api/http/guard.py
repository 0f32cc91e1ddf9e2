"""The guard: who may ask, how much, and what a browser may do with the answer.

- Only names this server is known by are answered (Host), so that no other site's name can be
  pointed at it (DNS rebinding).
- A request that changes something comes from this server's own pages or from no browser at all
  (Origin, Sec-Fetch-Site), so that no other site can send it (CSRF).
- Where a token is asked for, every request carries it: as a bearer token (RFC 6750), or as the
  cookie that the page of the login sets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crucible_api.http.problems import respond
from crucible_api.http.wire import Problem

#: holds the token of a browser
COOKIE = "crucible_token"

LOGIN = "/login"

#: bytes of a request's body; a corpus or a file of samples is sent as an artifact
MAX_BODY = 4 * 2**20

_TOO_LONG = f"a request has at most {MAX_BODY} bytes"

_SAFE = ("GET", "HEAD", "OPTIONS")

#: nothing but this server's own files, and nobody may frame them
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """Who is let in."""

    #: names without their port, in small letters; None answers to any, where a token is asked for
    hosts: frozenset[str] | None
    #: whether a token is good; None where none is asked for
    is_good: Callable[[str], bool] | None = field(default=None, repr=False)


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
        refusal = self._refusal(request)
        answer = self._app if refusal is None else refusal
        await answer(scope, _bounded(receive), _with_headers(send))

    def _refusal(self, request: Request) -> Response | None:
        """The answer to a request that goes no further."""
        headers = request.headers
        hosts = self._rules.hosts
        if hosts is not None and _host(headers.get("host", "")) not in hosts:
            return _refuse(request, HTTPStatus.FORBIDDEN, "this server has another name")
        if request.method not in _SAFE and not _is_own(headers):
            return _refuse(request, HTTPStatus.FORBIDDEN, "another site sent this request")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY:
            return _refuse(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LONG)
        return self._ask_for_token(request)

    def _ask_for_token(self, request: Request) -> Response | None:
        is_good = self._rules.is_good
        path = request.url.path
        # whoever logs in has no token yet, and the page of the login has its looks
        if is_good is None or path == LOGIN or path.startswith("/static/"):
            return None
        if is_good(_token(request)):
            return None
        if path.startswith("/api/"):
            detail = "a token is needed: crucible token create, on the server's host"
            return _refuse(request, HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})
        return RedirectResponse(LOGIN, HTTPStatus.SEE_OTHER)


def _bounded(receive: Receive) -> Receive:
    """Receive no more than a body may have, whatever its head says."""
    read = 0

    async def receive_bounded() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > MAX_BODY:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LONG)
        return message

    return receive_bounded


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            # what a database holds today is not what it holds tomorrow
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return send_with_headers


def _refuse(
    request: Request, status: HTTPStatus, detail: str, headers: dict[str, str] | None = None
) -> Response:
    return respond(request, Problem("about:blank", status.phrase, status, detail), headers)


def _is_own(headers: Headers) -> bool:
    """Whether a request that changes something is one of this server's pages', or no browser's."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else request.cookies.get(COOKIE, "")


def _host(header: str) -> str:
    """The name in a Host header, without its port."""
    name = header.lower()
    return name.rpartition(":")[0] if name.rpartition(":")[2].isdigit() else name

"""A connection to `crucible serve`: requests, answers as our dataclasses, failures as our errors.

What changes nothing is asked again while the server is away. A server that has answered this
process is waited for as long as a restart takes; one that never did is more likely misspelled.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx

from crucible_api.http import wire
from crucible_api.http.forms import Version
from crucible_api.http.wire import PROBLEM, Page, Problem
from crucible_api.remote.answers import (
    endless,
    error_of,
    mismatch,
    silence_hint,
    too_much,
    unlike,
)
from crucible_infra.errors import InvalidInput, ServerUnavailable
from crucible_infra.server_address import is_loopback
from crucible_infra.settings import Settings

Value = TypeVar("Value")

_PREFIX = "/api/v1"

#: of one page; what the server allows
_LARGEST_PAGE = 500

_CONNECT_SECONDS = 10.0

#: a model server may load weights first to be described, and an export is written before it is sent
_ANSWER_SECONDS = 120.0

#: to plan a sweep, many are described; and what changes something is never asked twice
_CHANGE_SECONDS = 900.0

#: of a stream's silence; servers say at least that they live every 15 s
_SILENT_SECONDS = 40.0

#: bytes of an answer that is read as a whole, and of one event
MOST_BYTES = 256 * 2**20

#: seconds a server is waited for that has answered before, and one that never did
_PATIENCE, _FIRST_PATIENCE = 8.0, 1.0

#: seconds between tries, doubled each time
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0

#: what a proxy says while the server behind it is away
_AWAY = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)

#: a server of ours ends its lines like this
_EVENT_END = b"\n\n"

#: asking twice is asking once
_REPEATABLE = ("GET", "HEAD", "PUT", "DELETE")

_UNKNOWN = "whether it was done is not known: crucible runs list | fine-tunes list"


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    query: dict[str, Any] = field(default_factory=dict)
    body: bytes | None = None
    #: the body of something large, from its beginning each time
    chunks: Callable[[], Iterator[bytes]] | None = None


class _Lost(ServerUnavailable):
    """No answer came."""

    #: whether the server may have heard the request
    is_sent = True


class Server:
    """One server; safe to share between threads."""

    def __init__(self, url: str, token: str | None) -> None:
        #: as people know it
        self.url = url
        headers = {"user-agent": "codecrucible", "accept": f"application/json, {PROBLEM}"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        self._client = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
            # a proxy would look for its own loopback
            trust_env=not is_loopback(url),
            verify=_tls(url),
            # a redirect could carry the token to a host nobody named
            follow_redirects=False,
        )
        self._has_answered = False

    def close(self) -> None:
        """Let its connections go."""
        self._client.close()

    def get(
        self, path: str, kind: type[Value], *, patience: float | None = None, **query: object
    ) -> Value:
        """What is there; `patience` is how long the server may be away, in seconds."""
        request = _Request("GET", path, _said(query))
        return self.understood(self._ask(request, patience)[1], kind)

    def pages(
        self,
        path: str,
        item: type[Value],
        most: int | None = None,
        after: str | None = None,
        patience: float | None = None,
    ) -> Iterator[Value]:
        """The items of a list behind a place, page by page; no more than `most`."""
        left = most
        kind: Any = Page[item]  # type: ignore[valid-type] # as the caller says
        while left is None or left > 0:
            limit = _LARGEST_PAGE if left is None else min(left, _LARGEST_PAGE)
            page: Page[Value] = self.get(path, kind, patience=patience, limit=limit, after=after)
            yield from page.items
            left = None if left is None else left - len(page.items)
            if page.next is None:
                return
            if page.next == after or not page.items:
                raise endless(self.url)
            after = page.next

    def send(self, method: str, path: str, kind: type[Value], body: object = None) -> Value:
        """What the server makes of something it is told. Nothing is said twice that counts."""
        data = None if body is None else wire.encode(body)
        return self.understood(self._ask(_Request(method, path, body=data))[1], kind)

    def understood(self, data: bytes, kind: type[Value]) -> Value:
        """What an answer says. Raises CrucibleError, with the reason if it is another version."""
        try:
            return wire.decode(data, kind)
        except ValueError as error:
            if kind is Version:
                raise unlike(self.url, HTTPStatus.OK, None) from error
            theirs = self.get("/version", Version).version
            raise mismatch(self.url, theirs, str(error)) from error

    def remove(self, path: str) -> None:
        """Have the server forget something."""
        self._ask(_Request("DELETE", path))

    def size(self, path: str) -> int | None:
        """How many bytes are there; None where nothing is."""
        answer, _ = self._ask(_Request("HEAD", path))
        return int(answer.headers.get("content-length", 0)) if answer.is_success else None

    def upload(self, path: str, chunks: Callable[[], Iterator[bytes]]) -> None:
        """Send bytes, however many; the source is asked again where it must be begun anew."""
        self._ask(_Request("PUT", path, chunks=chunks))

    @contextmanager
    def download(self, path: str) -> Iterator[Iterator[bytes]]:
        """The bytes that are there, piece by piece. Raises ServerUnavailable where they end."""
        with self._answer(_Request("GET", path), _ANSWER_SECONDS) as response:
            yield self._bytes(response)

    def events(self, path: str) -> Iterator[Event]:
        """The events of a stream until the server ends it. Raises ServerUnavailable."""
        with self._answer(_Request("GET", path), _SILENT_SECONDS) as response:
            held = b""
            with _named(self.url):
                for piece in response.iter_bytes():
                    *whole, held = (held + piece).split(_EVENT_END)
                    if len(held) > MOST_BYTES:
                        raise too_much(self.url, MOST_BYTES)
                    yield from (_event(one.decode("utf-8", "replace")) for one in whole if one)

    def _ask(
        self, request: _Request, patience: float | None = None
    ) -> tuple[httpx.Response, bytes]:
        """The answer to a request, and its body."""
        if patience is None:
            patience = _PATIENCE if self._has_answered else _FIRST_PATIENCE
        is_repeatable = request.method in _REPEATABLE
        silence = _ANSWER_SECONDS if is_repeatable else _CHANGE_SECONDS
        began, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            try:
                with self._answer(request, silence) as response:
                    return response, self._whole(response)
            except _Lost as lost:
                if lost.is_sent and not is_repeatable:
                    raise ServerUnavailable(lost.message, hint=_UNKNOWN) from lost
                if time.monotonic() - began + pause > patience:
                    raise ServerUnavailable(lost.message, hint=lost.hint) from lost
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    @contextmanager
    def _answer(self, request: _Request, silence: float) -> Iterator[httpx.Response]:
        """One try; an answer that is no success is raised, but for HEAD."""
        content = request.body if request.chunks is None else request.chunks()
        question = self._client.build_request(
            request.method,
            self.url + _PREFIX + request.path,
            params=request.query,
            content=content,
            headers={"content-type": "application/json"} if request.body is not None else None,
            timeout=httpx.Timeout(silence, connect=_CONNECT_SECONDS),
        )
        with _named(self.url):
            response = self._client.send(question, stream=True)
        try:
            self._demand(request, response)
            self._has_answered = True
            yield response
        finally:
            response.close()

    def _demand(self, request: _Request, response: httpx.Response) -> None:
        """Raise what an answer stands for that is no success."""
        is_missing = request.method == "HEAD" and response.status_code == HTTPStatus.NOT_FOUND
        if response.is_success or is_missing:
            return
        content = self._whole(response)
        kind = response.headers.get("content-type", "").partition(";")[0]
        if kind == PROBLEM:
            problem = self.understood(content, Problem)
            raise error_of(problem, self.url, is_authorized="authorization" in self._client.headers)
        if response.status_code in _AWAY:
            told = f"{self.url} does not answer: HTTP {response.status_code}"
            raise _Lost(told, hint=silence_hint(self.url))
        raise unlike(self.url, response.status_code, response.headers.get("location"))

    def _whole(self, response: httpx.Response) -> bytes:
        """A body to its end, which must come: a server is trusted with results, not with memory."""
        found = bytearray()
        for piece in self._bytes(response):
            found += piece
            if len(found) > MOST_BYTES:
                raise too_much(self.url, MOST_BYTES)
        return bytes(found)

    def _bytes(self, response: httpx.Response) -> Iterator[bytes]:
        with _named(self.url):
            yield from response.iter_bytes()


def connect(settings: Settings) -> Server:
    """The configured server; nothing is sent yet."""
    assert settings.server is not None
    return Server(settings.server, settings.token)


def part(text: str) -> str:
    """A word of the user's as one part of a path. Raises InvalidInput for what is none."""
    if not is_part(text):
        raise InvalidInput(f"nothing is called {text!r}", hint="crucible runs list")
    return quote(text, safe="")


def is_part(text: str) -> bool:
    """Whether something on a server could be called so; a slash would end the part."""
    return bool(text) and text.isprintable() and "/" not in text and text not in (".", "..")


@contextmanager
def _named(url: str) -> Iterator[None]:
    """Let httpx' errors be ours."""
    try:
        yield
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, ssl.SSLError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        lost = _Lost(f"{url} does not answer: {reason}", hint=silence_hint(url, reason))
        lost.is_sent = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        raise lost from error


def _event(text: str) -> Event:
    fields = [line.partition(":") for line in text.split("\n")]
    name = [text.strip() for kind, _, text in fields if kind == "event"]
    data = [text.removeprefix(" ") for kind, _, text in fields if kind == "data"]
    return Event(name[-1] if name else "message", "\n".join(data).encode())


def _said(query: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in query.items() if value is not None}


def _tls(url: str) -> ssl.SSLContext:
    if urlsplit(url).scheme == "https":
        return httpx.create_ssl_context()
    # plain http never uses it; an empty one, which trusts nobody, saves 30 ms
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

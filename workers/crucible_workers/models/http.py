"""HTTP: one way to talk to a model server, with its time-outs, limits and errors."""

from __future__ import annotations

import ipaddress
import ssl
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import BinaryIO, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from crucible_infra.errors import BrokenStream, InvalidInput, ServerTimeout
from crucible_tasks.decoding import decoder
from crucible_workers.models.faults import START_HINT, Faults
from crucible_workers.models.patience import Patience, persist
from crucible_workers.models.sse import data_of

Answer = TypeVar("Answer")

#: bytes of one line; Ollama's own client allows as many
_LINE_LIMIT = 8 * 2**20

#: bytes of one answer: 32 samples of the longest models are far below
_ANSWER_LIMIT = 64 * 2**20


@dataclass(frozen=True, slots=True)
class _Exchange:
    method: str
    path: str
    body: object
    #: seconds until the answer begins, and between two pieces of it
    first_byte: float
    idle: float
    #: on the monotonic clock
    deadline: float


class HttpClient:
    """Talks to the server at one URL. Every method raises ModelErrors only."""

    def __init__(
        self,
        url: str,
        patience: Patience,
        api_key: str | None = None,
        start_hint: str = START_HINT,
    ) -> None:
        self.url = url
        #: whether it is a server of this host
        self.is_here = is_loopback(url)
        self.patience = patience
        self.faults = Faults(url, api_key, start_hint)
        #: without path and user, because two clients of one server share its outages
        self.server = _server_of(url)
        headers = {"user-agent": "codecrucible"}
        if api_key:
            headers["authorization"] = f"Bearer {_checked(api_key)}"
        self._client = httpx.Client(
            headers=headers,
            # a proxy would look for its own loopback
            trust_env=not self.is_here,
            verify=_tls(url),
            # a redirect could carry prompts and key to a host nobody named
            follow_redirects=False,
        )

    def get(self, path: str, answer: type[Answer]) -> Answer:
        """A listing or description, with retries."""
        return self._describe("GET", path, None, answer)

    def describe(self, path: str, question: object, answer: type[Answer]) -> Answer:
        """A description that has to be asked for by POST, with retries."""
        return self._describe("POST", path, question, answer)

    def post(self, path: str, body: object, answer: type[Answer], deadline: float) -> Answer:
        """One try for an answer that comes whole, so its first byte may take until the deadline."""
        first_byte = _left(deadline)
        exchange = _Exchange("POST", path, body, first_byte, self.patience.idle, deadline)
        return self.decode(self._body(exchange), answer)

    def lines(self, path: str, body: object, deadline: float) -> Generator[bytes, None, None]:
        """One try for an answer that comes line by line; the last line needs no newline."""
        with closing(self._lines(path, body, deadline)) as lines:
            yield from filter(bytes.strip, lines)

    def events(self, path: str, body: object, deadline: float) -> Generator[bytes, None, None]:
        """One try for an answer that comes as server-sent events: the data of each."""
        with closing(self._lines(path, body, deadline)) as lines:
            yield from data_of(lines)

    def has(self, path: str) -> bool:
        """Whether HEAD finds something there, with retries."""

        def ask() -> bool:
            with self._named_errors():
                answer = self._client.head(self.url + path, timeout=self.patience.metadata)
            if answer.status_code in (httpx.codes.OK, httpx.codes.NOT_FOUND):
                return answer.status_code == httpx.codes.OK
            raise self.faults.of_answer(answer.status_code, answer.headers, b"")

        return self.persist(ask, time.monotonic() + self.patience.first_byte)

    def upload(self, path: str, file: BinaryIO) -> None:
        """One try to send a file's bytes, however many."""
        # the server answers when it has stored and hashed all of them
        waits = httpx.Timeout(self.patience.first_byte, connect=self.patience.connect)
        kind = {"content-type": "application/octet-stream"}
        with self._named_errors():
            answer = self._client.post(self.url + path, content=file, headers=kind, timeout=waits)
        if not answer.is_success:
            raise self.faults.of_answer(answer.status_code, answer.headers, answer.content)

    def delete(self, path: str, named: object) -> None:
        """One try to remove what the body names."""
        self._tell("DELETE", path, named, self.patience.metadata)

    def tell(self, path: str, body: object) -> None:
        """One try to have something done; whatever is answered to it is not read."""
        self._tell("POST", path, body, self.patience.first_byte)

    def _tell(self, method: str, path: str, body: object, seconds: float) -> None:
        content = msgspec.json.encode(body)
        headers = {"content-type": "application/json"}
        with self._named_errors():
            answer = self._client.request(
                method, self.url + path, content=content, headers=headers, timeout=seconds
            )
        if not answer.is_success:
            raise self.faults.of_answer(answer.status_code, answer.headers, answer.content)

    def decode(self, data: bytes, answer: type[Answer]) -> Answer:
        """JSON of this shape, or BrokenStream."""
        try:
            return decoder(answer).decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BrokenStream(
                f"{self.url} did not answer as its protocol says: {error}"
            ) from error

    def persist(self, ask: Callable[[], Answer], deadline: float) -> Answer:
        """Ask this server, and again after transient errors; see `patience.persist`."""
        return persist(ask, self.patience, deadline, self.server)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _lines(self, path: str, body: object, deadline: float) -> Generator[bytes, None, None]:
        first_byte = min(self.patience.first_byte, _left(deadline))
        exchange = _Exchange("POST", path, body, first_byte, self.patience.idle, deadline)
        rest = b""
        with closing(self._chunks(exchange)) as chunks:
            for chunk in chunks:
                *whole, rest = (rest + chunk).split(b"\n")
                yield from whole
                if len(rest) > _LINE_LIMIT:
                    raise BrokenStream(f"{self.url} sent a line of over {_LINE_LIMIT} bytes")
        if rest:
            yield rest

    def _describe(self, method: str, path: str, question: object, answer: type[Answer]) -> Answer:
        seconds = self.patience.metadata
        deadline = time.monotonic() + self.patience.first_byte
        exchange = _Exchange(method, path, question, seconds, seconds, deadline)

        def ask() -> Answer:
            return self.decode(self._body(exchange), answer)

        return self.persist(ask, deadline)

    def _body(self, exchange: _Exchange) -> bytes:
        body = bytearray()
        with closing(self._chunks(exchange)) as chunks:
            for chunk in chunks:
                body += chunk
                if len(body) > _ANSWER_LIMIT:
                    raise BrokenStream(f"{self.url} sent over {_ANSWER_LIMIT} bytes")
        return bytes(body)

    def _chunks(self, exchange: _Exchange) -> Generator[bytes, None, None]:
        with self._named_errors(), self._response(exchange) as response:
            # httpcore looks this up before each read: from now on pieces must follow each other
            response.request.extensions["timeout"]["read"] = exchange.idle
            if response.status_code != httpx.codes.OK:
                body = response.read()
                raise self.faults.of_answer(response.status_code, response.headers, body)
            for chunk in response.iter_bytes():
                if time.monotonic() > exchange.deadline:
                    raise ServerTimeout(f"{self.url} was still answering at the deadline")
                yield chunk

    def _response(self, exchange: _Exchange) -> AbstractContextManager[httpx.Response]:
        has_body = exchange.body is not None
        return self._client.stream(
            exchange.method,
            self.url + exchange.path,
            content=msgspec.json.encode(exchange.body) if has_body else None,
            headers={"content-type": "application/json"} if has_body else {},
            timeout=httpx.Timeout(exchange.first_byte, connect=self.patience.connect),
        )

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self.faults.of_exception(error) from error


def is_loopback(url: str) -> bool:
    """Whether the URL means this host."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _server_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _left(deadline: float) -> float:
    # zero would mean "do not wait at all" to the socket
    return max(deadline - time.monotonic(), 0.001)


def _tls(url: str) -> ssl.SSLContext:
    if urlsplit(url).scheme == "https":
        return httpx.create_ssl_context()
    # plain http never uses it; an empty one, which trusts nobody, saves 30 ms
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _checked(api_key: str) -> str:
    # h11 would repeat the whole key in its complaint
    if not (api_key.isascii() and api_key.isprintable() and " " not in api_key):
        hint = "it may hold printable ASCII without spaces; look for a stray newline"
        raise InvalidInput("OPENAI_API_KEY cannot be sent in a header", hint=hint)
    return api_key

"""A real HTTP server that plays Ollama or an OpenAI-compatible server, well or badly."""

from __future__ import annotations

import hashlib
import json
import random
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrived; header names are lower-case."""

    method: str
    path: str
    body: Any
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """What to send: JSON or bytes, whole or in pieces, on time or late, to the end or not."""

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    #: bytes of one piece; None sends the body whole
    piece: int | None = None
    #: seconds before the status line, and before each piece
    wait: float = 0.0
    pause: float = 0.0
    #: bytes after which the connection is dropped
    cut_at: int | None = None

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Behaviour = Callable[[Asked], Reply]
#: prompt and seed to the text of one sample
Answers = Callable[[str, int], str]
#: sent instead of an answer; None answers as usual
Fault = Reply | Callable[[Asked], Reply] | None


def seeded(prompt: str, seed: int) -> str:
    """A text that depends on prompt and seed and nothing else."""
    return f"    return {hashlib.sha256(f'{seed}:{prompt}'.encode()).hexdigest()[:12]!r}\n"


def competent(solutions: Mapping[str, str], skill: float = 1.0) -> Answers:
    """Answers from a dict of prompts; a share of `1 - skill` of the samples is wrong, by seed."""

    def answer(prompt: str, seed: int) -> str:
        known = next((text for key, text in solutions.items() if key in prompt), None)
        if known is None or random.Random(f"{seed}:{prompt}").random() >= skill:
            return "    return 'no idea'\n"
        return known

    return answer


@dataclass(slots=True)
class Ollama:
    """Behaves as Ollama; `faults` are used up by sampling requests, one each."""

    answers: Answers = seeded
    models: tuple[str, ...] = ("codellama:7b-code",)
    template: str = "{{ .Prompt }}"
    capabilities: tuple[str, ...] = ("completion",)
    parameters: str = ""
    faults: deque[Fault] = field(default_factory=deque)
    #: added to the entry of each model in /api/tags
    extra: Mapping[str, Any] = field(default_factory=dict)
    piece: int | None = None

    def __call__(self, asked: Asked) -> Reply:
        match asked.method, asked.path:
            case "GET", "/api/version":
                return Reply({"version": "0.5.1"})
            case "GET", "/api/tags":
                return Reply({"models": [self._tag(name) for name in self.models]})
            case "POST", "/api/show":
                return Reply(self._show())
            case "POST", "/api/generate" | "/api/chat":
                return _faulty(self.faults, asked) or self._sample(asked)
        return Reply({"error": "404 page not found"}, 404)

    def _tag(self, name: str) -> dict[str, Any]:
        digest = hashlib.sha256(name.encode()).hexdigest()
        details = {"family": "llama", "parameter_size": "7B", "quantization_level": "Q4_0"}
        tag = {"name": name, "model": name, "digest": digest, "details": details}
        return tag | dict(self.extra)

    def _show(self) -> dict[str, Any]:
        return {
            "modelfile": "FROM x",
            "parameters": self.parameters,
            "template": self.template,
            "details": {"family": "llama", "quantization_level": "Q4_0"},
            "model_info": {"general.architecture": "llama", "llama.context_length": 16384},
            "capabilities": list(self.capabilities),
        }

    def _sample(self, asked: Asked) -> Reply:
        body = asked.body
        text = self.answers(prompt_of(body), body["options"]["seed"])
        return Reply(ndjson(text, is_chat="messages" in body), piece=self.piece)


@dataclass(slots=True)
class OpenAi:
    """Behaves as an OpenAI-compatible server that honours `n` and seeds as vLLM does."""

    answers: Answers = seeded
    models: tuple[str, ...] = ("coder",)
    owned_by: str = "somebody"
    faults: deque[Fault] = field(default_factory=deque)
    #: whether `n` is dropped without a word, as Ollama does
    is_n_ignored: bool = False
    #: whether all n samples use the first one's seed, as old servers do
    is_seed_shared: bool = False
    #: paths outside /v1
    extra: Mapping[str, Any] = field(default_factory=dict)
    piece: int | None = None

    def __call__(self, asked: Asked) -> Reply:
        if asked.path in self.extra:
            return Reply(self.extra[asked.path])
        match asked.method, asked.path:
            case "GET", "/v1/models":
                cards = [{"id": name, "owned_by": self.owned_by} for name in self.models]
                return Reply({"object": "list", "data": cards})
            case "POST", "/v1/completions" | "/v1/chat/completions":
                return _faulty(self.faults, asked) or self._sample(asked)
        return Reply({"error": "not found"}, 404)

    def _sample(self, asked: Asked) -> Reply:
        body = asked.body
        if body.get("stream"):
            text = self.answers(prompt_of(body), body["seed"])
            return Reply(sse(text, is_chat="messages" in body), piece=self.piece)
        n = 1 if self.is_n_ignored else body.get("n", 1)
        seeds = [body["seed"] + (0 if self.is_seed_shared else i) for i in range(n)]
        texts = [self.answers(prompt_of(body), seed) for seed in seeds]
        return Reply(choices(texts, is_chat="messages" in body))


def prompt_of(body: Mapping[str, Any]) -> str:
    """The prompt, or the last message of the chat."""
    return str(body["messages"][-1]["content"] if "messages" in body else body["prompt"])


def choices(texts: Iterable[str], *, is_chat: bool = False) -> dict[str, Any]:
    """A whole OpenAI answer."""
    made = [
        {"index": i, "finish_reason": "stop"}
        | ({"message": {"role": "assistant", "content": text}} if is_chat else {"text": text})
        for i, text in enumerate(texts)
    ]
    return {"choices": made, "usage": {"prompt_tokens": 10, "completion_tokens": 7 * len(made)}}


def ndjson(
    text: str, *, is_chat: bool = False, is_done: bool = True, reason: str = "stop"
) -> bytes:
    """A whole Ollama stream, one line per character."""
    lines: list[dict[str, Any]] = [
        {"message": {"role": "assistant", "content": c}} if is_chat else {"response": c}
        for c in text
    ]
    lines = [line | {"done": False} for line in lines]
    if is_done:
        counts = {"prompt_eval_count": 10, "eval_count": len(text)}
        lines.append({"response": "", "done": True, "done_reason": reason} | counts)
    return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)


def sse(text: str, *, is_chat: bool = True, reason: str | None = "stop") -> bytes:
    """A whole OpenAI stream, one event per character, usage in one of its own."""
    pieces = [{"delta": {"content": c}} if is_chat else {"text": c} for c in text]
    chunks: list[dict[str, Any]] = [{"choices": [{"index": 0} | piece]} for piece in pieces]
    if reason is not None:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        chunks.append({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 7}})
    lines = [b"data: " + json.dumps(chunk, ensure_ascii=False).encode() for chunk in chunks]
    return b"".join(line + b"\n\n" for line in (*lines, b"data: [DONE]"))


def _faulty(faults: deque[Fault], asked: Asked) -> Reply | None:
    fault = faults.popleft() if faults else None
    return fault(asked) if callable(fault) else fault


class ModelServer:
    """Listens on a free port of 127.0.0.1 and remembers what it was asked."""

    def __init__(self, behaviour: Behaviour, port: int = 0) -> None:
        self.behaviour = behaviour
        self.requests: list[Asked] = []
        #: what was asked by clients that left before their answer's end
        self.abandoned: list[Asked] = []
        self.stopping = threading.Event()
        self._server = _Server(("127.0.0.1", port), self)
        # a short poll, so that stopping takes no half second
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def sampled(self) -> list[Asked]:
        """The requests that asked for text."""
        paths = ("/completions", "/generate", "/chat")
        return [asked for asked in self.requests if asked.path.endswith(paths)]

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening and drop every connection, as a killed server does."""
        if self.stopping.is_set():
            return
        self.stopping.set()
        self._server.shutdown()
        self._server.drop_connections()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], owner: ModelServer) -> None:
        super().__init__(address, _Handler)
        self.owner = owner
        self.connections: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def drop_connections(self) -> None:
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                # its client was quicker
                continue

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # small pieces would wait 40 ms for the client's acknowledgement
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class' name
        """Say nothing on stderr."""

    def _answer(self) -> None:
        owner = self.server.owner
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        # weights are uploaded as they are
        is_json = "json" in headers.get("content-type", "json")
        body = json.loads(content) if content and is_json else content or None
        asked = Asked(self.command, self.path, body, headers)
        owner.requests.append(asked)
        reply = owner.behaviour(asked)
        owner.stopping.wait(reply.wait)
        try:
            self._send(reply, owner.stopping)
        except OSError:
            owner.abandoned.append(asked)
            raise

    def _send(self, reply: Reply, stopping: threading.Event) -> None:
        content = reply.content
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if self.command == "HEAD":
            self.end_headers()
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        sent = content[: reply.cut_at]
        size = reply.piece or max(len(sent), 1)
        for start in range(0, len(sent), size):
            if stopping.wait(reply.pause):
                self.close_connection = True
                return
            self._chunk(sent[start : start + size])
        if reply.cut_at is None:
            self._chunk(b"")
        else:
            self.close_connection = True

    def _chunk(self, piece: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.flush()

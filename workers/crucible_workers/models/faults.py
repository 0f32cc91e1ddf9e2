"""Faults: what a failed exchange with a model server means in our tree of errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from crucible_infra.errors import (
    BrokenStream,
    ContextOverflow,
    EndpointDown,
    EndpointUnreachable,
    ModelError,
    ModelNotFound,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    ServerTimeout,
)
from crucible_workers.models.patience import retry_after

#: for a server of which nothing more is known
START_HINT = "start the server, or check the address"

#: characters of a server's complaint that are shown
_SHOWN = 300

#: Ollama, llama.cpp, vLLM, LM Studio, OpenAI, in their own words
_OVERFLOW = re.compile(
    r"exceed_context_size|context_length_exceeded|maximum context length"
    r"|longer than the (maximum )?context|greater than the (maximum )?context length"
    r"|exceeds? the (available |model'?s? )?(maximum )?context"
    r"|input length exceeds|prompt (is )?too long|larger than the context",
    re.IGNORECASE,
)
_MISSING = re.compile(
    r"model\b.{0,120}\b(not found|does not exist)|model_not_found|(no such|unknown) model",
    re.IGNORECASE | re.DOTALL,
)
_QUOTA = re.compile(r"insufficient_quota|exceeded your current quota", re.IGNORECASE)

#: the first match decides; every class of httpx' tree is covered by one of them
_BY_EXCEPTION: tuple[tuple[type[Exception], type[ModelError]], ...] = (
    (httpx.ConnectTimeout, EndpointUnreachable),
    (httpx.TimeoutException, ServerTimeout),
    (httpx.ConnectError, EndpointUnreachable),
    (httpx.ProxyError, EndpointUnreachable),
    (httpx.UnsupportedProtocol, RequestRefused),
    (httpx.LocalProtocolError, RequestRefused),
    (httpx.InvalidURL, RequestRefused),
    (httpx.TooManyRedirects, RequestRefused),
    (httpx.HTTPError, BrokenStream),
)


@dataclass(frozen=True, slots=True)
class Faults:
    """Names errors after one server, and keeps its key out of them."""

    url: str
    secret: str | None = None
    #: what to do when nobody answers
    start_hint: str = START_HINT

    def of_exception(self, error: Exception) -> ModelError:
        """What an exception of httpx means."""
        kind = next(ours for theirs, ours in _BY_EXCEPTION if isinstance(error, theirs))
        if kind is EndpointUnreachable:
            problem = f"no answer from {self.url}: {self._reason(error)}"
            return kind(problem, hint=self.start_hint)
        if kind is ServerTimeout:
            return kind(f"{self.url} sent nothing for too long ({type(error).__name__})")
        return kind(f"{self.url} broke off: {self._reason(error)}")

    def of_answer(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """What an answer other than 200 means."""
        complaint = self.complaint(body)
        said = f"{self.url} answered {status}: {complaint}"
        if status in (429, 503) and not _QUOTA.search(complaint):
            return RateLimited(said, retry_after_seconds=retry_after(headers))
        by_words = _by_words(complaint, said)
        # a server that is broken may not know its own models
        if by_words and (status < 500 or not isinstance(by_words, ModelNotFound)):
            return by_words
        if status in (408, 425):
            return ServerTimeout(said)
        return (
            EndpointDown(said)
            if status >= 500
            else RequestRefused(said, hint=_hint(status, headers))
        )

    def of_payload(self, error: object) -> ModelError:
        """What an `error` inside an answer that began with 200 means."""
        body = msgspec.json.encode({"error": error})
        code = error.get("code") if isinstance(error, dict) else None
        if isinstance(code, int) and 400 <= code <= 599:
            return self.of_answer(code, {}, body)
        complaint = self.complaint(body)
        said = f"{self.url} reported: {complaint}"
        unnamed = RequestRefused if "invalid_request" in complaint else BrokenStream
        return _by_words(complaint, said) or unnamed(said)

    def complaint(self, body: bytes) -> str:
        """The message in an error's body, whether a string, nested, flat or no JSON at all."""
        try:
            text = _words(msgspec.json.decode(body))
        except msgspec.DecodeError:
            text = body.decode("utf-8", "replace")
        return self.redact(" ".join(text.split()))[:_SHOWN] or "nothing"

    def redact(self, text: str) -> str:
        """The text without the key; some servers repeat it in their complaint."""
        return text.replace(self.secret, "***") if self.secret else text

    def _reason(self, error: Exception) -> str:
        return self.redact(str(error)) or type(error).__name__


def _by_words(complaint: str, said: str) -> ModelError | None:
    """The causes that servers only tell in words, with whatever status."""
    if _OVERFLOW.search(complaint):
        return ContextOverflow(said, hint="ask for fewer tokens, or load a larger context")
    if _QUOTA.search(complaint):
        return QuotaExhausted(said, hint="top up the account, or use a local model")
    if _MISSING.search(complaint):
        return ModelNotFound(said, hint="`crucible models` lists what answers")
    return None


def _words(payload: Any) -> str:
    """Message, type and code, from `{"error": …}` in any of its shapes."""
    if not isinstance(payload, dict):
        return str(payload)
    # FastAPI servers say `detail`
    error = payload.get("error") or payload.get("detail") or payload
    if isinstance(error, str):
        # some put the text beside the type: {"error": "type", "message": "text"}
        parts = [error, payload.get("message")]
    elif isinstance(error, dict):
        parts = [error.get(key) for key in ("message", "type", "code", "param")]
    else:
        parts = [error]
    return ", ".join(str(part) for part in parts if part is not None)


def _hint(status: int, headers: Mapping[str, str]) -> str | None:
    if status in (401, 403):
        return "OPENAI_API_KEY is sent to the host of OPENAI_BASE_URL only; set both"
    if status in (301, 302, 303, 307, 308):
        return f"redirects are not followed; use {headers.get('location', 'its target')} itself"
    if status in (404, 405):
        return "check the address (most servers want /v1), or try ?style=base or ?style=chat"
    return None

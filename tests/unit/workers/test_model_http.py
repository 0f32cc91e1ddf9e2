from __future__ import annotations

import logging
import time
import traceback
from collections import deque
from contextlib import closing

import httpx
import pytest

from crucible_infra.errors import CrucibleError, InvalidInput, ModelError, RequestRefused
from crucible_tasks.model_spec import ModelKind, ModelSpec
from crucible_workers.models.faults import Faults
from crucible_workers.models.http import HttpClient, is_loopback
from crucible_workers.models.openai_server import open_openai
from crucible_workers.models.openai_wire import Cards
from crucible_workers.models.patience import IMPATIENT, Patience
from model_server import ModelServer, OpenAi, Reply

KEY = "sk-very-secret-0123456789"


def exceptions_below(kind: type[Exception]) -> list[type[Exception]]:
    return [kind, *(found for child in kind.__subclasses__() for found in exceptions_below(child))]


@pytest.mark.parametrize("kind", [*exceptions_below(httpx.HTTPError), httpx.InvalidURL])
def test_every_exception_of_httpx_has_a_name_of_ours(kind: type[Exception]) -> None:
    error = kind.__new__(kind)
    Exception.__init__(error, "boom")
    ours = Faults("http://h/v1").of_exception(error)
    assert isinstance(ours, ModelError)
    assert type(ours) is not ModelError
    assert "http://h/v1" in ours.message


def test_a_key_reaches_its_server_and_no_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = Reply({"error": f"Incorrect API key provided: {KEY}"}, 401)
    crash = Reply({"error": f"worker died, key {KEY}"}, 500)
    with ModelServer(OpenAi(faults=deque([crash, echo]))) as server:
        texts = []
        with closing(HttpClient(f"{server.url}/v1", Patience(), KEY)) as http:
            for _ in range(2):
                with pytest.raises(ModelError) as caught:
                    http.post("/completions", {}, Cards, deadline=time.monotonic() + 20)
                texts += traceback.format_exception(caught.value)
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in "".join(texts)
    assert "***" in "".join(texts)
    assert KEY not in caplog.text
    assert caplog.text


def test_without_a_key_none_is_sent() -> None:
    with ModelServer(OpenAi()) as server:
        url = f"{server.url}/v1"
        open_openai(ModelSpec(ModelKind.OPENAI, "coder", url), url, IMPATIENT).close()
        assert all("authorization" not in asked.headers for asked in server.requests)


@pytest.mark.parametrize("key", ["sk-a\nb", "sk-ä", "sk a"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        HttpClient("http://127.0.0.1:1", IMPATIENT, key)
    assert "sk" not in caught.value.message


def test_a_proxy_is_not_asked_for_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with (
        ModelServer(OpenAi()) as server,
        closing(HttpClient(f"{server.url}/v1", IMPATIENT)) as http,
    ):
        assert http.get("/models", Cards).data[0].id == "coder"


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("http://127.0.0.1:1/v1", True),
        ("http://127.8.8.8", True),
        ("http://[::1]:80", True),
        ("http://localhost", True),
        ("http://models.localhost:1", True),
        ("http://localhost.example.com", False),
        ("http://10.0.0.1", False),
    ],
)
def test_loopback_is_known_by_name_and_number(url: str, is_local: bool) -> None:  # noqa: FBT001
    assert is_loopback(url) is is_local


def test_a_line_without_end_is_not_read_for_ever() -> None:
    def endless(_asked: object) -> Reply:
        return Reply(b"x" * (9 * 2**20), piece=2**20)

    with ModelServer(endless) as server:
        http = HttpClient(server.url, IMPATIENT)
        with closing(http), pytest.raises(ModelError, match="a line of over"):
            list(http.lines("/api/generate", {}, deadline=time.monotonic() + 20))


def test_a_foreign_web_server_is_quoted_briefly() -> None:
    page = b"<html>" + b"<p>not here</p>" * 1000
    with ModelServer(lambda _asked: Reply(page, 404)) as server:
        http = HttpClient(server.url, IMPATIENT)
        with closing(http), pytest.raises(RequestRefused) as caught:
            http.get("/models", Cards)
    assert len(caught.value.message) < 400
    assert isinstance(caught.value, CrucibleError)

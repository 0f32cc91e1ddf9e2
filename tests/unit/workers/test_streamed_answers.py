"""Answers as servers stream them, well and badly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crucible_infra.errors import (
    BrokenStream,
    ContextOverflow,
    EmptyCompletion,
    EndpointUnreachable,
    ModelError,
    ModelNotFound,
    RateLimited,
    RequestRefused,
)
from crucible_tasks.answering import Piece
from crucible_tasks.completion import Finish
from crucible_tasks.sampling import Sampling
from crucible_workers.models import open_model
from crucible_workers.models.interface import Ended
from crucible_workers.models.patience import Patience
from crucible_workers.models.sse import data_of
from model_requests import CHAT, RAW, Waits
from model_server import Asked, ModelServer, Ollama, OpenAi, Reply, ndjson, sse

TEXT = "größer \U0001f40d\n\tfertig"
TOO_LONG = "The number of tokens to keep is greater than the context length (n_keep: 9>= n_ctx: 4)"
CHUNK = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
STOP = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(Ollama()) as running:
        yield running


def streamed(
    server: ModelServer, *replies: Reply, kind: str = "openai", patience: Patience | None = None
) -> tuple[str, str, Ended]:
    """The text, the reasoning and the end of an answer that comes as these replies."""
    behaviour = OpenAi() if kind == "openai" else Ollama()
    behaviour.faults.extend(replies)
    server.behaviour = behaviour
    server.requests.clear()
    place = f"{server.url}/v1#coder" if kind == "openai" else f"{server.url}#codellama:7b-code"
    model = open_model(f"{kind}:{place}", None, patience or Waits().patience())
    try:
        *pieces, end = model.stream(CHAT, Sampling(), 7)
    finally:
        model.close()
    assert isinstance(end, Ended)
    told = [piece for piece in pieces if isinstance(piece, Piece)]
    text = "".join(piece.text for piece in told if not piece.is_reasoning)
    return text, "".join(piece.text for piece in told if piece.is_reasoning), end


@pytest.mark.parametrize("piece", [1, 3, 64, None])
def test_lines_and_characters_may_be_cut_anywhere(server: ModelServer, piece: int | None) -> None:
    ollama = Reply(ndjson(TEXT, is_chat=True), piece=piece)
    assert streamed(server, ollama, kind="ollama")[0] == TEXT
    assert streamed(server, Reply(sse(TEXT), piece=piece))[0] == TEXT


def test_usage_comes_behind_the_last_choice(server: ModelServer) -> None:
    assert streamed(server, Reply(sse("hi")))[2] == Ended(Finish.STOP, 10, 7)
    assert server.sampled[0].body["stream_options"] == {"include_usage": True}
    assert server.sampled[0].body["seed"] == 7


def test_comments_carriage_returns_and_data_of_several_lines_are_read() -> None:
    lines = [
        *(b": ping\r", b"\r", b"event: x\r", b"data: {\r", b'data: "a": 1}\r', b"\r", b": ping"),
        *(b"data:[DONE]", b"", b'{"error": "whole"}', b"data: last"),
    ]
    assert [*data_of(lines)] == [b'{\n"a": 1}', b"[DONE]", b'{"error": "whole"}', b"last"]


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_is_told_from_the_answer(server: ModelServer, name: str) -> None:
    thought = b'data: {"choices":[{"delta":{"%s":"hm"}}]}\n\n' % name.encode()
    assert streamed(server, Reply(thought + CHUNK + STOP))[:2] == ("a", "hm")
    thinking = b'{"message":{"thinking":"hm"},"done":false}\n' + ndjson("a", is_chat=True)
    assert streamed(server, Reply(thinking), kind="ollama")[:2] == ("a", "hm")


def test_an_option_that_a_server_does_not_know_is_left_out_and_asked_again(
    server: ModelServer,
) -> None:
    unknown = Reply({"error": {"message": "unknown field stream_options"}}, 400)
    assert streamed(server, unknown, Reply(CHUNK + STOP))[0] == "a"
    assert [("stream_options" in asked.body) for asked in server.sampled] == [True, False]


def test_a_server_that_cannot_stream_and_answers_whole_is_understood(server: ModelServer) -> None:
    whole = {"choices": [{"message": {"content": "all"}, "finish_reason": "stop"}]}
    assert streamed(server, Reply(whole))[0] == "all"


@pytest.mark.parametrize(
    ("kind", "content", "error"),
    [
        ("openai", CHUNK, BrokenStream),
        ("openai", CHUNK + b"data: [DONE]\n\n", BrokenStream),
        ("openai", CHUNK + b"data: nonsense\n\n", BrokenStream),
        ("openai", CHUNK + b'data: {"error": "out of memory"}\n\n', BrokenStream),
        ("openai", CHUNK + b'data: {"error":{"code":400,"message":"bad"}}\n\n', RequestRefused),
        ("openai", b'{"error": "%s"}' % TOO_LONG.encode(), ContextOverflow),
        ("openai", CHUNK + b'data: {"object":"error","message":"model x not found"}\n\n',
         ModelNotFound),
        ("openai", STOP, EmptyCompletion),
        ("ollama", ndjson("ab", is_chat=True, is_done=False), BrokenStream),
        ("ollama", ndjson("ab", is_chat=True, is_done=False) + b'{"error":"oom"}\n', BrokenStream),
        ("ollama", b'{"done":true,"done_reason":"stop"}\n', EmptyCompletion),
    ],
)  # fmt: skip
def test_what_a_server_breaks_is_named(
    server: ModelServer, kind: str, content: bytes, error: type[ModelError]
) -> None:
    hurried = Patience(retries=1, is_hurried=True, sleep=lambda _seconds: None)
    replies = [Reply(content)] * 2
    with pytest.raises(error):
        streamed(server, *replies, kind=kind, patience=hurried)
    # nothing after the first piece is asked for again, and an empty answer once
    assert len(server.sampled) == (2 if error is EmptyCompletion else 1)


def test_a_connection_that_is_cut_in_an_answer_is_a_broken_stream(server: ModelServer) -> None:
    with pytest.raises(BrokenStream):
        streamed(server, Reply(sse(TEXT), cut_at=200))


def test_a_busy_server_is_asked_again_a_few_times_and_a_broken_one_is_not(
    server: ModelServer,
) -> None:
    waits: list[float] = []
    hurried = Patience(retries=2, retry_after_cap=20, is_hurried=True, sleep=waits.append)
    busy = Reply({"error": "server busy"}, 503, {"retry-after": "3"})
    assert streamed(server, busy, Reply(sse("hi")), patience=hurried)[0] == "hi"
    assert waits == [3.0]
    with pytest.raises(RateLimited):
        streamed(server, *[busy] * 3, patience=hurried)
    with pytest.raises(RateLimited):
        streamed(server, Reply({}, 429, {"retry-after": "60"}), patience=hurried)
    assert waits == [3.0, 3.0, 3.0]
    with pytest.raises(ModelError):
        streamed(server, Reply({"error": "oops"}, 500), patience=hurried)
    assert len(server.sampled) == 1


def test_nobody_waits_for_a_server_that_is_away() -> None:
    with ModelServer(OpenAi()) as server:
        place = f"{server.url}/v1#coder"
        hurried = Patience(retries=3, is_hurried=True, sleep=pytest.fail)
        model = open_model(f"openai:{place}", None, hurried)
    with pytest.raises(EndpointUnreachable, match="no answer from"):
        next(model.stream(RAW, Sampling(), 1))
    model.close()


def test_a_closed_stream_stops_the_server() -> None:
    def slow(_asked: Asked) -> Reply:
        return Reply(sse("x" * 1000), piece=64, pause=0.01)

    behaviour = OpenAi()
    behaviour.faults.append(slow)
    with ModelServer(behaviour) as server:
        model = open_model(f"openai:{server.url}/v1#coder", None, Waits().patience())
        events = model.stream(CHAT, Sampling(), 7)
        next(events)
        events.close()
        for _ in range(200):
            if server.abandoned:
                break
            server.stopping.wait(0.01)
        assert [asked.path for asked in server.abandoned] == ["/v1/chat/completions"]
        model.close()

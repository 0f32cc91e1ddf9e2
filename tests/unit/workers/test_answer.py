"""The answerer: prompts by kind of model, contexts known before sending, reasoning marked."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

from crucible_infra.errors import ContextOverflow
from crucible_tasks.answering import (
    AnswerEnd,
    Answerer,
    AnswerRequest,
    Piece,
    find_models,
    open_answerer,
)
from crucible_tasks.generation import Message
from crucible_tasks.sampling import Sampling
from crucible_workers.answer import least_tokens, prompt_of, size_of
from crucible_workers.models.interface import Ended
from crucible_workers.models.reasoning import marked
from model_server import Asked, ModelServer, Ollama, OpenAi, Reply, sse

SYSTEM, USER = Message("system", "Be brief."), Message("user", "Write add.")


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(Ollama()) as running:
        yield running


def ask(answerer: Answerer, *messages: Message, **sampling: Any) -> tuple[str, AnswerEnd]:
    request = AnswerRequest(messages or (USER,), Sampling(**sampling), 7)
    *pieces, end = answerer.answer(request)
    assert isinstance(end, AnswerEnd)
    return "".join(piece.text for piece in pieces if isinstance(piece, Piece)), end


def opened(server: ModelServer, behaviour: OpenAi | Ollama) -> Answerer:
    server.behaviour = behaviour
    server.requests.clear()
    is_ollama = isinstance(behaviour, Ollama)
    place = f"{server.url}#codellama:7b-code" if is_ollama else f"{server.url}/v1#coder"
    return open_answerer(f"{'ollama' if is_ollama else 'openai'}:{place}")


def test_an_answer_ends_with_who_said_it(server: ModelServer) -> None:
    answerer = opened(server, OpenAi(answers=lambda prompt, seed: f"{prompt} {seed}"))
    text, end = ask(answerer, SYSTEM, USER)
    assert text == "Write add. 7"
    assert end.model == answerer.identity()
    assert end.completion_tokens == 7
    assert 0 <= end.first_piece_seconds <= end.seconds
    assert [turn["role"] for turn in server.sampled[0].body["messages"]] == ["system", "user"]
    answerer.close()


def test_a_base_model_continues_what_was_said() -> None:
    said = (SYSTEM, Message("user", "def f():"), Message("assistant", " pass"), USER)
    assert prompt_of(said, "base").text == "Be brief.\n\ndef f(): pass\n\nWrite add."
    assert prompt_of(said, "chat").messages == said


def test_nano_answers_in_this_process(crucible_home: object) -> None:
    assert crucible_home
    answerer = open_answerer("nano")
    text, _ = ask(answerer, Message("user", "def add(a, b):\n"), temperature=0.2)
    assert text
    with pytest.raises(ContextOverflow, match="does not fit into the 2048 of nano; nothing"):
        ask(answerer, Message("user", "x = 1\n" * 4000))
    answerer.close()


def test_what_cannot_fit_is_known_before_it_is_sent(server: ModelServer) -> None:
    answerer = opened(server, Ollama())
    with pytest.raises(ContextOverflow, match=r"at least 20000 tokens, counted as words, .* 16384"):
        ask(answerer, Message("user", "word " * 20_000))
    assert server.sampled == []
    # as many words as tokens may still fit, and the server says so itself
    ask(answerer, Message("user", "word " * 15_000))
    answerer.close()


def test_ollama_is_asked_for_a_context_that_the_prompt_fits_into(server: ModelServer) -> None:
    answerer = opened(server, Ollama())
    for count, window in ((10, 8192), (6000, 16384), (15_000, 16384)):
        ask(answerer, Message("user", "word " * count))
        assert server.sampled[-1].body["options"]["num_ctx"] == window
    answerer.close()


_LENGTH = {"max_model_len": 100}


class Counting(OpenAi):
    """llama.cpp or vLLM with a context of 100 tokens, one of which is every character."""

    def __call__(self, asked: Asked) -> Reply:
        body = asked.body
        said = body["messages"][-1]["content"] if body and "messages" in body else ""
        known = {
            "/props": {"default_generation_settings": {"n_ctx": 100}, "total_slots": 1},
            "/version": {"version": "1"},
            "/apply-template": {"prompt": f"<>{said}"},
            "/tokenize": {"tokens": list(body["content"])} if body and "content" in body else {},
        }
        if self.owned_by == "vllm":
            known["/v1/models"] = {"data": [{"id": "coder", "owned_by": "vllm", **_LENGTH}]}
            known["/tokenize"] = {"count": 2 + len(said)}
        return Reply(known[asked.path]) if asked.path in known else OpenAi.__call__(self, asked)


@pytest.mark.parametrize("owner", ["llamacpp", "vllm"])
def test_a_server_counts_with_its_own_tokenizer(server: ModelServer, owner: str) -> None:
    answerer = opened(server, Counting(owned_by=owner))
    ask(answerer, Message("user", "x" * 90), max_tokens=500)
    # what is left of the context, because vLLM refuses to be asked for more
    assert server.sampled[-1].body["max_tokens"] == 8
    with pytest.raises(ContextOverflow, match="a prompt of 102 tokens does not fit into the 100"):
        ask(answerer, Message("user", "x" * 100))
    assert len(server.sampled) == 1
    answerer.close()


def test_counting_is_spared_where_everything_fits(server: ModelServer) -> None:
    answerer = opened(server, Counting(owned_by="llamacpp"))
    ask(answerer, Message("user", "x"), max_tokens=10)
    assert not [asked for asked in server.requests if asked.path == "/tokenize"]
    answerer.close()


@pytest.mark.parametrize("text", ["", "a b", "    x = 1\n\n", "日本語 テキスト", "a" * 100])
def test_the_bounds_hold_a_tokenizer_of_ours(text: str) -> None:
    prompt = prompt_of((Message("user", text),), "base")
    answerer = open_answerer("nano")
    counted = answerer._model.count(prompt)  # type: ignore[attr-defined]
    assert least_tokens(prompt) <= counted <= size_of(prompt)
    answerer.close()


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
@pytest.mark.parametrize(
    ("said", "thought", "answer"),
    [
        ("<think>\nhm</think>\n\nyes", "\nhm", "yes"),
        ("\n <think>a < b</thin</think>ok", "a < b</thin", "ok"),
        ("<thinking of it", "", "<thinking of it"),
        ("<think>never closed", "never closed", ""),
        ("a <think> in the text </think>", "", "a <think> in the text </think>"),
        ("<th", "", "<th"),
    ],
)
def test_reasoning_written_into_an_answer_is_marked(
    size: int, said: str, thought: str, answer: str
) -> None:
    pieces = [Piece(said[start : start + size]) for start in range(0, len(said), size)]
    found = [*marked(iter([*pieces, Ended(None, None, None)]))]  # type: ignore[arg-type]
    told = [piece for piece in found if isinstance(piece, Piece)]
    assert "".join(piece.text for piece in told if piece.is_reasoning) == thought
    assert "".join(piece.text for piece in told if not piece.is_reasoning) == answer
    assert isinstance(found[-1], Ended)


def test_what_answers_here_is_found_without_a_broker(
    server: ModelServer, crucible_home: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert crucible_home
    server.behaviour = Ollama(models=("embedder", "coder:1b"))
    monkeypatch.setenv("OLLAMA_HOST", server.url)
    from crucible_infra import settings

    settings.current.cache_clear()
    found = [(one.spec, one.name, one.server) for one in find_models()]
    assert ("ollama:coder:1b", "coder:1b", "Ollama") in found


def test_a_failed_first_try_is_not_part_of_the_answer(server: ModelServer) -> None:
    empty = Reply(b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n')
    answerer = opened(server, OpenAi(faults=deque([empty, Reply(sse("yes"))])))
    assert ask(answerer)[0] == "yes"
    answerer.close()

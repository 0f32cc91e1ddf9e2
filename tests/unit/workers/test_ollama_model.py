from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from crucible_infra.errors import (
    BrokenStream,
    ContextOverflow,
    EmptyCompletion,
    EndpointDown,
    ModelNotFound,
    RequestRefused,
    ServerTimeout,
)
from crucible_tasks.completion import Finish, Form
from crucible_tasks.model_spec import ModelKind, ModelSpec
from crucible_workers.models.ollama import OllamaModel, open_ollama
from crucible_workers.models.patience import IMPATIENT, Patience
from model_requests import CHAT, RAW, Waits, samples
from model_server import Fault, ModelServer, Ollama, Reply, ndjson

SPEC = ModelSpec(ModelKind.OLLAMA, "codellama:7b-code")
TOO_LONG = "the prompt is longer than the context length currently available to the model; "


@contextmanager
def opened(server: ModelServer, patience: Patience | None = None) -> Iterator[OllamaModel]:
    model = open_ollama(SPEC, server.url, patience or Waits().patience())
    try:
        yield model
    finally:
        model.close()


def test_a_sample_sends_every_option_and_neither_truncates_nor_shifts() -> None:
    with ModelServer(Ollama()) as server, opened(server) as model:
        model.sample(samples(2))
        (asked,) = server.sampled
    assert asked.path == "/api/generate"
    assert asked.body == {
        "model": "codellama:7b-code",
        "prompt": RAW.text,
        "raw": True,
        "stream": True,
        "keep_alive": "30m",
        "truncate": False,
        "shift": False,
        "options": {
            "seed": 4713,
            "temperature": 0.8,
            "top_p": 0.95,
            "top_k": 0,
            "min_p": 0.0,
            "typical_p": 1.0,
            "repeat_penalty": 1.0,
            "repeat_last_n": 0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "num_predict": 1024,
            "num_ctx": 8192,
            "stop": list(RAW.stop),
        },
    }


def test_a_chat_keeps_the_models_own_stop_words_and_thinks_only_when_it_can() -> None:
    behaviour = Ollama(
        template="{{ range .Messages }}{{ .Content }}{{ end }}",
        capabilities=("completion", "thinking"),
        parameters='num_ctx    4096\nstop       "<|im_end|>"\nstop   "<|im_start|>"\n',
    )
    with ModelServer(behaviour) as server, opened(server) as model:
        (completion,) = model.sample(samples(0, prompt=CHAT))
        (asked,) = server.sampled
    assert asked.path == "/api/chat"
    assert asked.body["think"] is False
    assert asked.body["options"]["stop"] == ["<|im_end|>", "<|im_start|>"]
    assert asked.body["messages"][0] == {"role": "system", "content": "You write Python."}
    assert completion.form is Form.RESPONSE


@pytest.mark.parametrize("piece", [1, 2, 3, 7, None])
def test_a_stream_split_inside_characters_and_lines_loses_nothing(piece: int | None) -> None:
    text = 'return "naïve — 漢字 🙂"\n'
    behaviour = Ollama(answers=lambda _prompt, _seed: text, piece=piece)
    with ModelServer(behaviour) as server, opened(server) as model:
        (completion,) = model.sample(samples(0))
    assert completion.text == text
    assert completion.finish is Finish.STOP
    assert (completion.prompt_tokens, completion.completion_tokens) == (10, len(text))


def test_a_last_line_without_a_newline_counts() -> None:
    faults: deque[Fault] = deque([Reply(ndjson("pass").rstrip(b"\n"))])
    with ModelServer(Ollama(faults=faults)) as server, opened(server) as model:
        (completion,) = model.sample(samples(0))
    assert completion.text == "pass"


def test_a_full_token_budget_is_told() -> None:
    faults: deque[Fault] = deque([Reply(ndjson("pass", reason="length"))])
    with ModelServer(Ollama(faults=faults)) as server, opened(server) as model:
        (completion,) = model.sample(samples(0))
    assert completion.finish is Finish.LENGTH


@pytest.mark.parametrize(
    "fault",
    [
        Reply(ndjson("half an ans", is_done=False)),
        Reply(ndjson("whole"), cut_at=40),
        Reply(b'{"response":"x","done":false}\n{"resp'),
        Reply(b'{"response":"x","done":false}\n{"error":"CUDA error: out of memory"}\n'),
        Reply({"error": "llama runner process has terminated"}, 500),
        Reply({"error": "server busy, please try again."}, 503),
    ],
)
def test_a_broken_answer_is_asked_for_anew_with_the_same_seed(fault: Reply) -> None:
    waits = Waits()
    with (
        ModelServer(Ollama(faults=deque([fault, None]))) as server,
        opened(server, waits.patience()) as model,
    ):
        undisturbed = model.sample(samples(1))  # after the fault
        again = model.sample(samples(1))
        bodies = [asked.body for asked in server.sampled]
    assert undisturbed[0].text == again[0].text
    assert bodies[0] == bodies[1] == bodies[2]
    assert len(waits.seconds) == 1


def test_a_server_that_never_finishes_is_given_up_after_the_retries() -> None:
    def half(_asked: object) -> Reply:
        return Reply(ndjson("half", is_done=False))

    faults: deque[Fault] = deque([half] * 20)
    with ModelServer(Ollama(faults=faults)) as server, opened(server) as model:
        with pytest.raises(BrokenStream, match="before it was done"):
            model.sample(samples(0))
        assert len(server.sampled) == 5


def test_an_error_line_with_an_overflow_is_an_overflow_and_not_asked_again() -> None:
    line = json.dumps({"error": TOO_LONG}).encode() + b"\n"
    for reply in (Reply({"error": TOO_LONG}, 400), Reply(line)):
        with ModelServer(Ollama(faults=deque([reply]))) as server, opened(server) as model:
            with pytest.raises(ContextOverflow):
                model.sample(samples(0))
            assert len(server.sampled) == 1


def test_success_without_text_is_asked_once_more_and_is_no_answer() -> None:
    empty = Reply(b'{"response":"","done":true,"done_reason":"load"}\n')
    faults: deque[Fault] = deque([empty, empty, None])
    with ModelServer(Ollama(faults=faults)) as server, opened(server) as model:
        with pytest.raises(EmptyCompletion, match="T/0 sample 3"):
            model.sample(samples(3))
        assert len(server.sampled) == 2


def test_a_model_that_ends_at_once_gave_an_empty_answer() -> None:
    ended = Reply(b'{"response":"","done":true,"done_reason":"stop","eval_count":1}\n')
    with ModelServer(Ollama(faults=deque([ended]))) as server, opened(server) as model:
        (completion,) = model.sample(samples(0))
    assert completion.text == ""


def test_thoughts_are_not_text_and_thinking_to_the_end_is_the_models_answer() -> None:
    stream = (
        b'{"message":{"content":"","thinking":"hmm"},"done":false}\n'
        b'{"message":{"content":""},"done":true,"done_reason":"length","eval_count":1024}\n'
    )
    with ModelServer(Ollama(faults=deque([Reply(stream)]))) as server, opened(server) as model:
        (completion,) = model.sample(samples(0, prompt=CHAT))
    assert completion.text == ""
    assert completion.finish is Finish.LENGTH


def test_a_server_that_falls_silent_is_noticed() -> None:
    slow: deque[Fault] = deque([Reply(ndjson("late"), wait=5.0)])
    halting: deque[Fault] = deque([Reply(ndjson("late"), piece=20, pause=5.0)])
    for faults, patience in (
        (slow, Patience(first_byte=0.2, retries=0)),
        (halting, Patience(idle=0.2, retries=0)),
    ):
        with ModelServer(Ollama(faults=faults)) as server, opened(server, patience) as model:
            started = time.monotonic()
            with pytest.raises(ServerTimeout, match="sent nothing for too long"):
                model.sample(samples(0))
            assert time.monotonic() - started < 3


def test_a_server_that_drips_for_ever_meets_the_deadline() -> None:
    dripping: deque[Fault] = deque([Reply(ndjson("x" * 1000), piece=20, pause=0.05)])
    patience = Patience(first_byte=0.3, per_token=0.0, retries=0)
    with (
        ModelServer(Ollama(faults=dripping)) as server,
        opened(server, patience) as model,
        pytest.raises(ServerTimeout, match="still answering at the deadline"),
    ):
        model.sample(samples(0))


def test_a_wrong_name_fails_within_a_second_and_says_what_there_is() -> None:
    with ModelServer(Ollama(models=("codellama:13b-code", "phi3:mini"))) as server:
        started = time.monotonic()
        with pytest.raises(ModelNotFound) as caught:
            open_ollama(SPEC, server.url, Patience())
        assert time.monotonic() - started < 1
    assert "codellama:7b-code" in caught.value.message
    assert caught.value.hint == "`ollama pull codellama:7b-code`; it has codellama:13b-code"


def test_latest_need_not_be_written() -> None:
    with ModelServer(Ollama(models=("starcoder2:latest",))) as server:
        spec = ModelSpec(ModelKind.OLLAMA, "starcoder2")
        model = open_ollama(spec, server.url, IMPATIENT)
        model.close()
    assert model.identity().name == "starcoder2:latest"


@pytest.mark.parametrize("extra", [{"remote_host": "https://ollama.com"}, {"remote_model": "big"}])
def test_a_cloud_model_is_refused(extra: dict[str, str]) -> None:
    with (
        ModelServer(Ollama(extra=extra)) as server,
        pytest.raises(RequestRefused, match="is not local"),
    ):
        open_ollama(SPEC, server.url, IMPATIENT)


def test_an_embedding_model_is_refused() -> None:
    with (
        ModelServer(Ollama(capabilities=("embedding",))) as server,
        pytest.raises(RequestRefused, match="cannot complete text"),
    ):
        open_ollama(SPEC, server.url, IMPATIENT)


def test_the_identity_covers_weights_template_parameters_and_version() -> None:
    changed = (Ollama(template="{{ .Prompt }}\n"), Ollama(parameters="temperature 0.1"))
    digests = set()
    for behaviour in (Ollama(), Ollama(), *changed):
        with ModelServer(behaviour) as server, opened(server) as model:
            identity = model.identity()
            digests.add(identity.digest)
    assert len(digests) == 3
    assert identity.server == "ollama 0.5.1"
    assert (identity.context_tokens, identity.quantization) == (16384, "Q4_0")
    assert identity.details is not None
    assert len(identity.details["weights"]) == 64


def test_a_server_that_dies_while_it_answers_is_a_model_error() -> None:
    faults: deque[Fault] = deque([Reply(ndjson("x" * 1000), piece=20, pause=0.02)])
    server = ModelServer(Ollama(faults=faults)).start()
    with opened(server, Patience(retries=0)) as model:
        killer = threading.Timer(0.2, server.stop)
        killer.start()
        with pytest.raises(BrokenStream):
            model.sample(samples(0))
        killer.join()
        with pytest.raises(EndpointDown):
            model.sample(samples(0))

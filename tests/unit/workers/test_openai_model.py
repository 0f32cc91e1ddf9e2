from __future__ import annotations

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
    QuotaExhausted,
    RequestRefused,
)
from crucible_tasks.completion import Finish
from crucible_tasks.model_spec import ModelKind, ModelSpec
from crucible_tasks.sampling import Sampling
from crucible_workers.models.openai_api import OpenAiModel
from crucible_workers.models.openai_server import open_openai
from crucible_workers.models.patience import IMPATIENT, Patience
from model_requests import CHAT, RAW, Waits, samples
from model_server import Asked, Fault, ModelServer, OpenAi, Reply, choices, seeded
from services import free_port

TWENTY = tuple(range(20))


@contextmanager
def opened(
    server: ModelServer, patience: Patience | None = None, key: str | None = None
) -> Iterator[OpenAiModel]:
    url = f"{server.url}/v1"
    spec = ModelSpec(ModelKind.OPENAI, "coder", url)
    model = open_openai(spec, url, patience or Waits().patience(), key)
    try:
        yield model
    finally:
        model.close()


def texts_by_seed(*indices: int) -> list[str]:
    return [seeded(str(RAW.text), 4711 + index) for index in indices]


def test_a_raw_prompt_sends_every_option_and_at_most_four_stop_words() -> None:
    with ModelServer(OpenAi()) as server, opened(server) as model:
        model.sample(samples(2))
        (asked,) = server.sampled
    assert asked.path == "/v1/completions"
    assert asked.body == {
        "model": "coder",
        "prompt": RAW.text,
        "stream": False,
        "n": 1,
        "seed": 4713,
        "max_tokens": 1024,
        "temperature": 0.8,
        "top_p": 0.95,
        "top_k": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "repeat_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "stop": list(RAW.stop[:4]),
    }


def test_a_chat_goes_to_the_chat_endpoint() -> None:
    with ModelServer(OpenAi()) as server, opened(server) as model:
        model.sample(samples(0, prompt=CHAT))
        (asked,) = server.sampled
    assert asked.path == "/v1/chat/completions"
    assert asked.body["messages"][1] == {"role": "user", "content": "Write add."}
    assert "stop" not in asked.body


@pytest.mark.parametrize(
    "behaviour",
    [
        OpenAi(),
        OpenAi(is_n_ignored=True),
        OpenAi(is_seed_shared=True),
        OpenAi(owned_by="organization_owner"),
        OpenAi(faults=deque([Reply({"error": "Only one completion choice is allowed"}, 400)])),
        OpenAi(faults=deque([Reply(choices(["fewer"]))])),
    ],
    ids=["n", "n ignored", "one seed for all", "LM Studio", "n refused", "fewer"],
)
def test_one_request_for_n_and_n_requests_for_one_draw_the_same_set(behaviour: OpenAi) -> None:
    is_fewer = any(isinstance(f, Reply) and f.status == 200 for f in behaviour.faults)
    with ModelServer(behaviour) as server, opened(server) as model:
        found = model.sample(samples(*TWENTY))
        singly = [model.sample(samples(index))[0] for index in TWENTY]
    expected = ["fewer", *texts_by_seed(*TWENTY[1:])] if is_fewer else texts_by_seed(*TWENTY)
    assert [c.text for c in found] == expected
    assert [c.seed for c in found] == [c.seed for c in singly]
    assert [c.index for c in found] == list(TWENTY)


def test_n_is_asked_for_in_one_request_where_it_is_honoured() -> None:
    with ModelServer(OpenAi()) as server, opened(server) as model:
        model.sample(samples(*range(40)))
        assert [(a.body["n"], a.body["seed"]) for a in server.sampled] == [(32, 4711), (8, 4743)]


def test_what_several_answers_cost_together_is_shared_among_them() -> None:
    told = choices(["a", "b", "c"])
    told["usage"]["completion_tokens"] = 11
    behaviour = OpenAi(faults=deque([Reply(told)]))
    with ModelServer(behaviour) as server, opened(server) as model:
        found = model.sample(samples(0, 1, 2))
    assert [one.completion_tokens for one in found] == [4, 4, 3]
    assert len({one.seconds for one in found}) == 1
    assert found[0].seconds is not None


def test_indices_with_gaps_keep_their_seeds_and_their_order() -> None:
    with ModelServer(OpenAi()) as server, opened(server) as model:
        found = model.sample(samples(9, 3, 4, 0))
        assert len(server.sampled) == 3
    assert [c.index for c in found] == [9, 3, 4, 0]
    assert [c.text for c in found] == texts_by_seed(9, 3, 4, 0)


def test_a_server_that_ignored_n_is_not_asked_for_n_again() -> None:
    with ModelServer(OpenAi(is_n_ignored=True)) as server, opened(server) as model:
        model.sample(samples(0, 1, 2))
        assert model.samples_per_call == 1
        model.sample(samples(3, 4))
        assert [asked.body["n"] for asked in server.sampled] == [3, 1, 1, 1, 1]


def test_equal_texts_are_drawn_again_singly_and_then_believed() -> None:
    behaviour = OpenAi(answers=lambda _prompt, _seed: "    return a + b\n")
    with ModelServer(behaviour) as server, opened(server) as model:
        found = model.sample(samples(0, 1, 2, 3))
        assert [asked.body["n"] for asked in server.sampled] == [4, 1, 1, 1, 1]
        assert model.samples_per_call > 1
    assert {c.text for c in found} == {"    return a + b\n"}


@pytest.mark.parametrize(("n", "temperature"), [(3, 0.8), (8, 0.2)])
def test_few_or_cool_equal_texts_are_nothing_strange(n: int, temperature: float) -> None:
    behaviour = OpenAi(answers=lambda _prompt, _seed: "pass")
    with ModelServer(behaviour) as server, opened(server) as model:
        model.sample(samples(*range(n), sampling=Sampling(temperature=temperature)))
        assert len(server.sampled) == 1


def test_an_empty_choice_among_others_is_drawn_again() -> None:
    faults: deque[Fault] = deque([Reply(choices(["a", "", "c"]))])
    with ModelServer(OpenAi(faults=faults)) as server, opened(server) as model:
        found = model.sample(samples(0, 1, 2))
        assert [asked.body["seed"] for asked in server.sampled] == [4711, 4712]
    assert [c.text for c in found] == ["a", texts_by_seed(1)[0], "c"]


@pytest.mark.parametrize("answer", [{"choices": []}, {"choices": [{"text": ""}]}, {}])
def test_success_without_text_is_asked_once_more_and_is_no_answer(answer: object) -> None:
    faults: deque[Fault] = deque([Reply(answer), Reply(answer), None])
    with ModelServer(OpenAi(faults=faults)) as server, opened(server) as model:
        with pytest.raises(EmptyCompletion):
            model.sample(samples(0))
        assert len(server.sampled) == 2


def test_reasoning_stays_out_of_the_text() -> None:
    turn = {"content": "```python\npass\n```", "reasoning_content": "secret thoughts"}
    answer = {"choices": [{"index": 0, "message": turn, "finish_reason": "length"}]}
    faults: deque[Fault] = deque([Reply(answer)])
    with ModelServer(OpenAi(faults=faults)) as server, opened(server) as model:
        (completion,) = model.sample(samples(0, prompt=CHAT))
    assert completion.text == turn["content"]
    assert completion.finish is Finish.LENGTH


@pytest.mark.parametrize(
    "reply",
    [
        Reply(
            {
                "error": {
                    "code": 400,
                    "type": "exceed_context_size_error",
                    "message": "request (13392 tokens) exceeds the available context size "
                    "(8192 tokens), try increasing it",
                }
            },
            400,
        ),
        Reply(
            {
                "object": "error",
                "message": "This model's maximum context length is 16384 tokens. However, you "
                "requested 8192 output tokens and your prompt contains at least 8193 input tokens",
                "type": "BadRequestError",
                "code": 400,
            },
            400,
        ),
        Reply(
            {
                "error": "The number of tokens to keep from the initial prompt is greater than "
                "the context length (n_keep: 13055>= n_ctx: 4096). Try to load the model with"
            },
            400,
        ),
        Reply({"error": {"message": "too much", "code": "context_length_exceeded"}}, 400),
        Reply({"error": "the number of tokens is greater than the context length"}, 200),
        Reply({"error": {"code": 400, "message": "exceeds the available context size"}}, 200),
    ],
    ids=["llama.cpp", "vLLM flat", "LM Studio", "OpenAI", "string in 200", "nested in 200"],
)
def test_an_overflow_is_recognised_in_everybodys_words(reply: Reply) -> None:
    with ModelServer(OpenAi(faults=deque([reply]))) as server, opened(server) as model:
        with pytest.raises(ContextOverflow):
            model.sample(samples(0))
        assert len(server.sampled) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"error": "no such option"},
        {"error": {"message": "no such option", "type": "x", "param": None, "code": 400}},
        {"object": "error", "message": "no such option", "type": "x", "code": 400},
        {"detail": [{"msg": "no such option"}]},
        b"no such option",
    ],
)
def test_errors_of_every_shape_are_quoted(body: object) -> None:
    with (
        ModelServer(OpenAi(faults=deque([Reply(body, 400)]))) as server,
        opened(server) as model,
        pytest.raises(RequestRefused, match=r"answered 400: .*no such option"),
    ):
        model.sample(samples(0))


def test_an_error_inside_a_200_is_asked_again_unless_it_is_ours() -> None:
    crashed = Reply({"error": {"message": "engine died", "code": 500}})
    odd = Reply({"error": "slot unavailable"})
    with (
        ModelServer(OpenAi(faults=deque([crashed, odd]))) as server,
        opened(server) as model,
    ):
        assert [c.text for c in model.sample(samples(0))] == texts_by_seed(0)
    refused = Reply({"object": "error", "type": "invalid_request_error", "message": "bad"})
    with (
        ModelServer(OpenAi(faults=deque([refused]))) as server,
        opened(server) as model,
        pytest.raises(RequestRefused),
    ):
        model.sample(samples(0))


@pytest.mark.parametrize("fault", [Reply(b"<html>busy</html>"), Reply(choices(["x"]), cut_at=9)])
def test_an_answer_that_breaks_off_or_is_no_json_is_asked_for_again(fault: Reply) -> None:
    with ModelServer(OpenAi(faults=deque([fault]))) as server, opened(server) as model:
        assert [c.text for c in model.sample(samples(0))] == texts_by_seed(0)
    with (
        ModelServer(OpenAi(faults=deque([fault]))) as server,
        opened(server, Patience(retries=0)) as model,
        pytest.raises(BrokenStream),
    ):
        model.sample(samples(0))


def test_max_completion_tokens_is_used_where_the_server_wants_it() -> None:
    said = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    faults: deque[Fault] = deque([Reply({"error": {"message": said}}, 400)])
    with ModelServer(OpenAi(faults=faults)) as server, opened(server) as model:
        model.sample(samples(0, 1))
        model.sample(samples(2))
        bodies = [asked.body for asked in server.sampled]
    assert [("max_tokens" in b, b.get("max_completion_tokens")) for b in bodies] == [
        (True, None),
        (False, 1024),
        (False, 1024),
    ]


def test_an_unknown_option_is_left_out_only_if_its_value_changes_nothing() -> None:
    def pedantic(asked: Asked) -> Reply:
        said = "Unrecognized request arguments supplied: min_p, top_k"
        is_known = not {"top_k", "min_p"} & asked.body.keys()
        return Reply(choices(["ok"]) if is_known else {"error": said}, 200 if is_known else 400)

    for sampling, is_refused in ((Sampling(), False), (Sampling(top_k=40, min_p=0.1), True)):
        faults: deque[Fault] = deque([pedantic] * 4)
        with ModelServer(OpenAi(faults=faults)) as server, opened(server) as model:
            if is_refused:
                with pytest.raises(RequestRefused, match="Unrecognized"):
                    model.sample(samples(0, sampling=sampling))
            else:
                assert model.sample(samples(0, sampling=sampling))[0].text == "ok"


def test_an_exhausted_quota_is_not_asked_again() -> None:
    error = {"message": "You exceeded your current quota", "type": "insufficient_quota"}
    with (
        ModelServer(OpenAi(faults=deque([Reply({"error": error}, 429)]))) as server,
        opened(server) as model,
    ):
        with pytest.raises(QuotaExhausted):
            model.sample(samples(0))
        assert len(server.sampled) == 1


def test_a_wrong_name_fails_within_a_second_and_says_what_there_is() -> None:
    with ModelServer(OpenAi(models=("coder-2", "phi"))) as server:
        started = time.monotonic()
        with (
            pytest.raises(ModelNotFound, match="has no model 'coder'") as caught,
            opened(server, Patience()),
        ):
            pass
        assert time.monotonic() - started < 1
    assert caught.value.hint == "it has coder-2"


def test_a_refused_connection_fails_within_a_second_for_people_who_wait() -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    started = time.monotonic()
    with pytest.raises(EndpointDown, match="no answer from"):
        open_openai(ModelSpec(ModelKind.OPENAI, "coder", url), url, IMPATIENT)
    assert time.monotonic() - started < 1


def test_a_server_that_cannot_list_is_believed() -> None:
    def mute(asked: Asked) -> Reply:
        if asked.path == "/v1/models":
            return Reply({"error": "not found"}, 404)
        return Reply(choices(["ok"]))

    with ModelServer(mute) as server, opened(server) as model:
        assert model.identity().name == "coder"
        assert model.sample(samples(0))[0].text == "ok"


def test_llama_cpp_is_asked_for_no_more_than_it_has_slots() -> None:
    props = {
        "total_slots": 4,
        "build_info": "b5000-abc",
        "model_path": "/models/x.gguf",
        "default_generation_settings": {"n_ctx": 8192},
    }
    behaviour = OpenAi(owned_by="llamacpp", extra={"/props": props})
    with ModelServer(behaviour) as server, opened(server) as model:
        model.sample(samples(*range(10)))
        assert [asked.body["n"] for asked in server.sampled] == [4, 4, 2]
        identity = model.identity()
    assert (identity.server, identity.context_tokens) == ("llama.cpp b5000-abc", 8192)


def test_lm_studio_tells_what_it_loaded() -> None:
    loaded = {"id": "coder", "quantization": "Q4_K_M", "loaded_context_length": 4096}
    behaviour = OpenAi(owned_by="organization_owner", extra={"/api/v0/models": {"data": [loaded]}})
    with ModelServer(behaviour) as server, opened(server) as model:
        identity = model.identity()
    assert (identity.quantization, identity.context_tokens) == ("Q4_K_M", 4096)


def test_a_redirect_is_not_followed() -> None:
    with ModelServer(OpenAi()) as target:
        elsewhere = {"location": f"{target.url}/v1/completions"}
        faults: deque[Fault] = deque([Reply(b"", 307, elsewhere)])
        with (
            ModelServer(OpenAi(faults=faults)) as server,
            opened(server, key="sk-1") as model,
            pytest.raises(RequestRefused, match="answered 307") as caught,
        ):
            model.sample(samples(0))
        assert target.requests == []
    assert target.url in str(caught.value.hint)

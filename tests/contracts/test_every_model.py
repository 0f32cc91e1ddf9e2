"""One suite over every implementation of Model."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from crucible_infra.errors import ModelError, RequestRefused
from crucible_tasks import challenges
from crucible_tasks.answering import Piece
from crucible_tasks.challenge import Challenge, Language, ScriptTests
from crucible_tasks.completion import Form
from crucible_tasks.generation import Prompt
from crucible_tasks.model_spec import parse
from crucible_tasks.router import READ_SIGNALS, Member, Policy, Router
from crucible_tasks.sampling import Sampling
from crucible_workers.models import open_model
from crucible_workers.models.interface import Ended, Model
from crucible_workers.models.patience import Patience
from crucible_workers.models.reference import ReferenceModel
from model_requests import CHAT, RAW, samples
from model_server import ModelServer, Ollama, OpenAi
from tiny_adapter import write_tiny_adapter
from tiny_model import write_tiny_model

SIX = (0, 1, 2, 3, 4, 5)
QUICK = Patience(retries=1, sleep=lambda _seconds: None)


@dataclass(frozen=True)
class Case:
    """An open model, how it is asked, and how it loses what it answers from."""

    model: Model
    prompt: Prompt
    forms: set[Form]
    break_it: Callable[[], None]
    #: recordings and solutions belong to challenges
    answers_prompts: bool = True


def ollama(server: ModelServer, prompt: Prompt) -> Case:
    model = open_model(f"ollama:{server.url}#codellama:7b-code", None, QUICK)
    form = Form.CONTINUATION if prompt.text else Form.RESPONSE
    return Case(model, prompt, {form}, server.stop)


def openai(server: ModelServer, prompt: Prompt) -> Case:
    model = open_model(f"openai:{server.url}/v1#coder", None, QUICK)
    form = Form.CONTINUATION if prompt.text else Form.RESPONSE
    return Case(model, prompt, {form}, server.stop)


def router(server: ModelServer, prompt: Prompt) -> Case:
    # every second answer is turned down
    server.behaviour = OpenAi(_odd, ("coder", "larger"))
    style = "base" if prompt.text else "chat"
    members = [
        Member(role, f"openai:{server.url}/v1#{name}?style={style}")
        for role, name in (("fast", "coder"), ("quality", "larger"))
    ]
    wanted = Router("hybrid", Policy.CASCADE, tuple(members), READ_SIGNALS)
    form = Form.CONTINUATION if prompt.text else Form.RESPONSE
    # conversations have a router of their own: see `router_answer`
    return Case(
        open_model(wanted.spec, None, QUICK), prompt, {form}, server.stop, answers_prompts=False
    )


def _odd(prompt: str, seed: int) -> str:
    del prompt
    return f"a = {seed}\n" if seed % 2 else "(("


def replay(directory: Path) -> Case:
    path = directory / "recorded.jsonl"
    rows = [{"task_id": "T/0", "completion": f"    return {i}\n"} for i in SIX]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = open_model(f"replay:{path}", None)
    return Case(model, RAW, {Form.COMPLETION}, lambda: None, answers_prompts=False)


def transformers(directory: Path, prompt: Prompt) -> Case:
    # few tokens, so that few are drawn
    write_tiny_model(directory / "model", context=24 if prompt.text else 64, has_chat=True)
    adapter = write_tiny_adapter(directory / "adapter")
    model = open_model(f"hf:{directory / 'model'}+{adapter}", None)
    form = Form.CONTINUATION if prompt.text else Form.RESPONSE
    return Case(model, prompt, {form}, model.close)


def reference() -> Case:
    source = "def f():\n    return 1\n"
    challenge = Challenge("T/0", Language.PYTHON, "def f():\n", "f", ScriptTests(""), source)
    unsolved = Challenge("T/1", Language.PYTHON, "def f():\n", "f", ScriptTests(""))
    dataset = challenges.create("two", "own", [challenge, unsolved])
    model = ReferenceModel(dataset)
    return Case(model, RAW, {Form.SOLUTION}, lambda: None, answers_prompts=False)


def nano() -> Case:
    model = open_model("nano", None)
    return Case(model, RAW, {Form.CONTINUATION}, model.close)


@pytest.fixture(
    params=[
        *("ollama raw", "ollama chat", "openai raw", "openai chat"),
        *("hf raw", "hf chat", "replay", "reference", "nano", "router raw", "router chat"),
    ]
)
def case(request: pytest.FixtureRequest, tmp_path: Path, crucible_home: Path) -> Iterator[Case]:
    assert crucible_home
    name, _, mode = request.param.partition(" ")
    prompt = CHAT if mode == "chat" else RAW
    with ModelServer(Ollama() if name == "ollama" else OpenAi()) as server:
        made = {
            "ollama": lambda: ollama(server, prompt),
            "openai": lambda: openai(server, prompt),
            "router": lambda: router(server, prompt),
            "hf": lambda: transformers(tmp_path, prompt),
            "replay": lambda: replay(tmp_path),
            "reference": reference,
            "nano": nano,
        }[name]()
        yield made
        made.model.close()


def test_an_identity_is_complete_and_its_spec_can_be_used_again(case: Case) -> None:
    identity = case.model.identity()
    assert re.fullmatch(r"[0-9a-f]{64}", identity.digest)
    assert identity.style in ("base", "chat")
    assert identity.name
    assert identity.server
    assert str(parse(identity.spec)) == identity.spec
    assert case.model.identity() == identity


def test_completions_come_in_the_order_of_the_indices(case: Case) -> None:
    found = case.model.sample(samples(4, 0, 2, prompt=case.prompt))
    assert [completion.index for completion in found] == [4, 0, 2]
    assert {completion.form for completion in found} == case.forms


def test_one_call_for_n_and_n_calls_for_one_give_the_same_set(case: Case) -> None:
    together = case.model.sample(samples(*SIX, prompt=case.prompt))
    alone = [case.model.sample(samples(index, prompt=case.prompt))[0] for index in SIX]
    assert [(c.text, c.seed) for c in together] == [(c.text, c.seed) for c in alone]


def test_a_seed_if_there_is_one_is_base_plus_one_plus_index(case: Case) -> None:
    for completion in case.model.sample(samples(*SIX, prompt=case.prompt)):
        assert completion.seed in (None, 4711 + completion.index)


def test_threads_may_share_a_model(case: Case) -> None:
    expected = [c.text for c in case.model.sample(samples(*SIX, prompt=case.prompt))]

    def ask(_number: int) -> list[str]:
        return [c.text for c in case.model.sample(samples(*SIX, prompt=case.prompt))]

    with ThreadPoolExecutor(4) as pool:
        assert all(found == expected for found in pool.map(ask, range(8)))


def test_a_call_carries_at_least_one_sample(case: Case) -> None:
    assert case.model.samples_per_call >= 1


def test_whatever_fails_is_a_model_error(case: Case) -> None:
    case.break_it()
    with pytest.raises(ModelError) as caught:
        case.model.sample(samples(99, prompt=case.prompt, task_id="T/1"))
    assert caught.value.message
    assert "\n" not in caught.value.message


def test_a_streamed_answer_is_the_sample_of_its_seed(case: Case) -> None:
    if not case.answers_prompts:
        with pytest.raises(RequestRefused, match="answers challenges, not prompts"):
            next(case.model.stream(case.prompt, Sampling(), 4713))
        return
    (sample,) = case.model.sample(samples(2, prompt=case.prompt))
    *pieces, end = case.model.stream(case.prompt, Sampling(), 4713)
    assert isinstance(end, Ended)
    assert all(isinstance(piece, Piece) and not piece.is_reasoning for piece in pieces)
    assert "".join(piece.text for piece in pieces if isinstance(piece, Piece)) == sample.text
    assert end.finish is sample.finish
    assert end.prompt_tokens


def test_a_stream_may_be_closed_at_any_time(case: Case) -> None:
    if not case.answers_prompts:
        return
    for _ in range(2):
        events = case.model.stream(case.prompt, Sampling(), 1)
        next(events)
        events.close()
    assert case.model.sample(samples(prompt=case.prompt))


def test_whatever_fails_in_a_stream_is_a_model_error(case: Case) -> None:
    case.break_it()
    if case.answers_prompts:
        with pytest.raises(ModelError):
            list(case.model.stream(case.prompt, Sampling(), 1))


def test_tokens_are_counted_or_nobody_can_be_asked(case: Case) -> None:
    count = case.model.count(case.prompt)
    assert count is None or count > 1


def test_closing_twice_is_fine(case: Case) -> None:
    case.model.close()
    case.model.close()

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crucible_infra import settings
from crucible_tasks.completion import Completion, Finish, Form
from crucible_tasks.generation import Generation, ModelRequest
from crucible_workers import generate
from crucible_workers.models import open_model
from crucible_workers.models.leases import Leases
from crucible_workers.models.sampled import cut_at_stop
from model_requests import CHAT, RAW, Waits, generation
from model_server import Fault, ModelServer, Ollama, OpenAi, Reply, competent
from services import free_port

EMPTY = Reply(b'{"response":"","done":true,"done_reason":"load"}\n')
GONE = Reply({"error": "crashed"}, 500)


@pytest.fixture
def leases(crucible_home: Path) -> Iterator[Leases]:
    assert crucible_home
    made = Leases(lambda spec, dataset: open_model(spec, dataset, Waits().patience()))
    yield made
    made.close()


@pytest.fixture
def alone(crucible_home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the usual ports be somebody's: this host may have real servers."""
    assert crucible_home

    def configure(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        settings.current.cache_clear()

    configure(OLLAMA_HOST=f"127.0.0.1:{free_port()}")
    return configure


def spec_of(server: ModelServer) -> str:
    return f"ollama:{server.url}#codellama:7b-code"


def test_everything_asked_for_comes_back_with_its_seed_and_form(leases: Leases) -> None:
    with ModelServer(Ollama()) as server:
        found = generate.sample(generation(spec_of(server), 0, 2), leases)
    assert found.failure is None
    assert [(c.index, c.seed, c.form) for c in found.completions] == [
        (0, 4711, Form.CONTINUATION),
        (2, 4713, Form.CONTINUATION),
    ]


def test_a_chat_gives_responses(leases: Leases) -> None:
    with ModelServer(Ollama()) as server:
        found = generate.sample(generation(spec_of(server), 0, prompt=CHAT), leases)
    assert found.completions[0].form is Form.RESPONSE


def test_what_was_sampled_before_a_failure_is_kept(leases: Leases) -> None:
    faults: deque[Fault] = deque([None, None, *[GONE] * 9])
    with ModelServer(Ollama(faults=faults)) as server:
        found = generate.sample(generation(spec_of(server), 0, 1, 2, 3), leases)
    assert [c.index for c in found.completions] == [0, 1]
    assert found.failure is not None
    assert "answered 500: crashed" in found.failure
    assert found.is_transient


def test_one_empty_answer_costs_only_its_own_sample(leases: Leases) -> None:
    faults: deque[Fault] = deque([None, EMPTY, EMPTY, None])
    with ModelServer(Ollama(faults=faults)) as server:
        found = generate.sample(generation(spec_of(server), 0, 1, 2), leases)
    assert [c.index for c in found.completions] == [0, 2]
    assert found.failure is not None
    assert "sample 1: the server reported success without any text" in found.failure
    assert found.is_transient


@pytest.mark.parametrize(
    ("spec", "is_transient"),
    [
        ("openai:{url}/v1#nobody", False),
        ("openai:", False),
        ("hf:some/weights", False),
        ("replay:/nowhere.jsonl", False),
        # it was waited for already: only a person can help now
        ("openai:http://127.0.0.1:{closed}/v1#coder", False),
    ],
)
def test_a_model_that_cannot_be_opened_is_a_failure_with_a_reason(
    leases: Leases,
    spec: str,
    is_transient: bool,  # noqa: FBT001
) -> None:
    with ModelServer(OpenAi()) as server:
        text = spec.format(url=server.url, closed=free_port())
        found = generate.sample(generation(text), leases)
    assert found.completions == ()
    assert found.failure
    assert found.is_transient is is_transient


def test_every_stop_word_is_applied_not_only_the_four_that_were_sent(leases: Leases) -> None:
    def stops(_prompt: str, seed: int) -> str:
        return f"    return {seed}\n\nprint('more')\n"

    with ModelServer(OpenAi(answers=stops)) as server:
        found = generate.sample(generation(f"openai:{server.url}/v1#coder", 0), leases)
        assert "\nprint(" not in server.sampled[0].body["stop"]
    assert found.completions[0].text == "    return 4711\n"


@pytest.mark.parametrize("form", [Form.COMPLETION, Form.SOLUTION, Form.RESPONSE])
def test_only_continuations_are_cut(form: Form) -> None:
    completion = Completion(0, form, "x = 1\nclass A: ...", finish=Finish.LENGTH)
    assert cut_at_stop(completion, RAW.stop) is completion


def test_the_first_of_several_stop_words_ends_a_continuation() -> None:
    completion = Completion(0, Form.CONTINUATION, "a\n#b\nclass", finish=Finish.LENGTH)
    cut = cut_at_stop(completion, ("\nclass", "", "\n#"))
    assert (cut.text, cut.finish) == ("a", Finish.STOP)


def test_a_wrong_name_is_described_within_a_second(alone: Callable[..., None]) -> None:
    with ModelServer(OpenAi()) as server:
        alone(OPENAI_BASE_URL=server.url)
        started = time.monotonic()
        wrong = generate.describe(ModelRequest(f"openai:{server.url}/v1#codr"))
        assert time.monotonic() - started < 1
    assert wrong.models == ()
    assert wrong.problem is not None
    assert "has no model 'codr'" in wrong.problem
    assert wrong.hint == "it has coder"


def test_a_known_model_is_described(alone: Callable[..., None]) -> None:
    with ModelServer(Ollama()) as server:
        alone(OLLAMA_HOST=server.url)
        report = generate.describe(ModelRequest("codellama:7b-code?style=chat"))
    (identity,) = report.models
    assert identity.spec == "ollama:codellama:7b-code?style=chat"
    assert identity.style == "chat"
    assert report.problem is None


def test_everything_that_answers_is_listed(alone: Callable[..., None]) -> None:
    with ModelServer(Ollama()) as one, ModelServer(OpenAi(models=("a", "b"))) as two:
        alone(OLLAMA_HOST=one.url, OPENAI_BASE_URL=f"{two.url}/v1", OPENAI_API_KEY="sk-1")
        report = generate.describe(ModelRequest(None))
        assert two.requests[0].headers["authorization"] == "Bearer sk-1"
        assert "authorization" not in one.requests[0].headers
    names = [identity.name for identity in report.models]
    assert names[0] == "codellama:7b-code"
    assert names[-2:] == ["a", "b"]


def test_a_competent_server_answers_by_prompt_and_seed(leases: Leases) -> None:
    answers = competent({"def add(a, b):": "    return a + b\n"}, skill=0.5)
    with ModelServer(Ollama(answers=answers)) as server:
        found = generate.sample(generation(spec_of(server), *range(40)), leases)
        again = generate.sample(generation(spec_of(server), *range(40)), leases)
    right = [c.text for c in found.completions].count("    return a + b\n")
    assert 10 < right < 30
    assert [c.text for c in found.completions] == [c.text for c in again.completions]


def test_importing_the_tasks_loads_no_http_client() -> None:
    script = "import sys, crucible_tasks.model_spec, crucible_tasks.generation as g; "
    script += "assert 'httpx' not in sys.modules; import crucible_workers.generate; "
    script += "assert 'httpx' not in sys.modules, 'a replay needs none'"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_result_is_sent_to_the_controller(
    crucible_home: Path,
) -> None:
    from crucible_tasks.celery_app import app
    from crucible_tasks.control import STORE_COMPLETIONS

    path = crucible_home / "recorded.jsonl"
    path.write_text(json.dumps({"task_id": "T/0", "completion": "    return 1\n"}) + "\n")
    with app.connection_for_read() as connection:
        queue = app.amqp.queues[STORE_COMPLETIONS.queue](connection.default_channel)
        queue.declare()
        queue.purge()
        generate.generate(generation(f"replay:{path}"))
        message = queue.get(no_ack=True)
    assert message is not None
    assert message.headers["task"] == STORE_COMPLETIONS.name
    ((body,), _, _) = message.payload
    import msgspec

    sent = msgspec.convert(body, Generation)
    assert [completion.text for completion in sent.completions] == ["    return 1\n"]

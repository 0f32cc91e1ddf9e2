"""Capability: one queue per model that only some hosts have, and one for all others."""

from __future__ import annotations

import pytest

from crucible_tasks.capability import (
    COMMON,
    IN_PROCESS,
    generation_queue,
    kind_of,
    one_host_has,
    served_queues,
)
from crucible_tasks.model_spec import parse
from crucible_tasks.router import Member, Policy, Router


@pytest.mark.parametrize(
    "spec",
    [
        "reference",
        "nano",
        "replay:answers.jsonl",
        "openai:http://gpu1:8000/v1#m",
        "openai:10.0.0.7:8000#m",
        "ollama:http://gpu1:11434#m",
        "http://no-spec",
        "",
    ],
)
def test_what_every_host_can_do_or_refuse_shares_a_queue(spec: str) -> None:
    assert generation_queue(spec) == COMMON


@pytest.mark.parametrize(
    ("spec", "url", "asked"),
    [
        ("ollama:m", "http://127.0.0.1:11434", "ollama:m"),
        ("ollama:m:latest", "http://127.0.0.1:11434", "ollama:m"),
        ("ollama:m", "http://127.0.0.1:11434", "ollama:m:latest?style=chat"),
        ("ollama:m", "http://127.0.0.1:11434", "ollama:http://localhost:11434#m"),
        ("ollama:m", "http://127.0.0.1:11434", "m"),
        ("ollama:m", "http://gpu1:11434", "ollama:m"),
        ("openai:http://127.0.0.1:8000/v1#Org/M", "http://127.0.0.1:8000/v1", "Org/M"),
        ("openai:http://127.0.0.1:8000/v1#m", "http://127.0.0.1:8000/v1", "openai:[::1]:8000#m"),
    ],
)
def test_a_host_takes_its_models_work_under_every_name(spec: str, url: str, asked: str) -> None:
    queue = generation_queue(asked)
    assert queue != COMMON
    assert queue in served_queues(parse(spec), url)


@pytest.mark.parametrize(
    "asked",
    ["ollama:other", "ollama:m:7b", "openai:localhost:8000#m", "ollama:localhost:11435#m", "M"],
)
def test_other_models_and_other_servers_have_other_queues(asked: str) -> None:
    assert generation_queue(asked) not in served_queues(parse("ollama:m"), "http://127.0.0.1:11434")


def test_a_server_elsewhere_is_reached_by_its_address_from_every_host() -> None:
    spec = parse("openai:http://gpu1:8000/v1#m")
    assert served_queues(spec, "http://gpu1:8000/v1") == (generation_queue("m"),)


def test_weights_wait_for_a_host_that_can_load_them() -> None:
    specs = ("hf:org/model", "hf:/models/m+/adapters/a", f"hf:artifact:{'0' * 64}?style=base")
    assert {generation_queue(spec) for spec in specs} == {IN_PROCESS}
    assert kind_of(IN_PROCESS) == COMMON


def test_a_queue_is_named_so_that_a_person_recognises_the_model() -> None:
    assert generation_queue("ollama:qwen2.5-coder:1.5b").startswith(
        "generation.qwen2-5-coder-1-5b."
    )
    assert len(generation_queue("ollama:" + "x" * 500)) < 60


def _router(*specs: str) -> str:
    members = tuple(Member(f"m{place}", spec) for place, spec in enumerate(specs))
    return Router("r", Policy.FALLBACK, members).spec


def test_a_router_waits_where_its_only_member_with_a_queue_of_its_own_does() -> None:
    anywhere = "openai:http://gpu1:8000/v1#m"
    assert generation_queue(_router(anywhere, "nano")) == COMMON
    assert generation_queue(_router(anywhere, "ollama:m")) == generation_queue("ollama:m")
    assert one_host_has((anywhere, "ollama:m", "nano"))
    assert not one_host_has(("ollama:m", "ollama:other"))
    assert generation_queue("router:nonsense") == COMMON

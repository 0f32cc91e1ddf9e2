"""The built-in `hybrid` follows from the models that answer."""

from __future__ import annotations

import pytest

from crucible_tasks.built_in_router import built_in, preferred
from crucible_tasks.model_spec import parse
from crucible_tasks.router import Policy, Signal

LM_STUDIO = "openai:http://127.0.0.1:1234/v1#"
VLLM = "openai:http://127.0.0.1:8000/v1#"


def members(*specs: str) -> list[str]:
    router = built_in([parse(spec) for spec in specs])
    return [] if router is None else [f"{one.role} {one.spec}" for one in router.members]


def test_the_smaller_of_two_servers_models_is_asked_first() -> None:
    found = members("ollama:codellama:34b", f"{LM_STUDIO}qwen2.5-coder-1.5b-instruct")
    assert found == [
        f"fast {LM_STUDIO}qwen2.5-coder-1.5b-instruct",
        "quality ollama:codellama:34b",
    ]


@pytest.mark.parametrize(
    ("small", "large"),
    [("m-360m", "m-1b"), ("coder:7b", "coder:8x7b"), ("a-1.3b-base", "b2-13b"), ("x:3b", "x:3.5b")],
)
def test_sizes_are_read_from_names(small: str, large: str) -> None:
    wanted = [f"fast {VLLM}{small}", f"quality ollama:{large}"]
    assert members(f"ollama:{large}", f"{VLLM}{small}") == wanted


def test_without_a_size_the_order_of_the_servers_decides() -> None:
    assert members("ollama:phi", f"{VLLM}coder-1b") == [
        "fast ollama:phi",
        f"quality {VLLM}coder-1b",
    ]


def test_each_server_gives_its_first_code_model_and_never_one_that_embeds() -> None:
    found = members("ollama:llama3:8b", "ollama:codellama:7b", f"{VLLM}embed-code", f"{VLLM}q-1b")
    assert found == [f"fast {VLLM}q-1b", "quality ollama:codellama:7b"]


def test_it_is_a_cascade_on_everything_a_user_sees() -> None:
    router = built_in([parse("ollama:a:7b"), parse(f"{VLLM}b-1b")])
    assert router is not None
    assert (router.policy, router.escalate_on) == (Policy.CASCADE, tuple(Signal))
    assert (router.name, router.most_draws, router.falls_back) == ("hybrid", 2, False)


def test_one_model_on_two_servers_is_a_fallback() -> None:
    router = built_in([parse(f"{LM_STUDIO}m-7b"), parse(f"{LM_STUDIO}n"), parse(f"{VLLM}m-7b")])
    assert router is not None
    assert router.policy is Policy.FALLBACK


@pytest.mark.parametrize(
    "specs",
    [
        (),
        ("ollama:a", "ollama:b"),
        ("ollama:a", f"{VLLM}nomic-embed"),
        # the same Ollama at its own address and at its /v1
        ("ollama:a:latest", "ollama:b:7b", f"{VLLM}a:latest", f"{VLLM}b:7b"),
    ],
)
def test_fewer_than_two_servers_make_none(specs: tuple[str, ...]) -> None:
    assert members(*specs) == []


def preferred_of(*names: str) -> str | None:
    found = preferred([parse(f"ollama:{name}") for name in names])
    return None if found is None else found.name


def test_a_code_model_comes_before_what_was_listed_first() -> None:
    assert preferred_of("llama3", "qwen2.5-coder:1.5b", "codellama") == "qwen2.5-coder:1.5b"


def test_a_model_that_only_embeds_is_never_asked() -> None:
    assert preferred_of("nomic-embed-text", "mistral") == "mistral"
    assert preferred_of("nomic-embed-code") is None
    assert preferred_of() is None

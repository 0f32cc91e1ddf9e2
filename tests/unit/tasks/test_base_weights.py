"""Which weights a name means is looked up, and never guessed."""

from __future__ import annotations

import pytest

from crucible_infra.errors import InvalidInput
from crucible_tasks.base_weights import base_weights
from crucible_tasks.model_spec import parse


@pytest.mark.parametrize(
    ("model", "weights"),
    [
        ("codellama:7b", "codellama/CodeLlama-7b-Instruct-hf"),
        ("ollama:codellama:7b", "codellama/CodeLlama-7b-Instruct-hf"),
        ("ollama:codellama:13b-code-q4_K_M", "codellama/CodeLlama-13b-hf"),
        ("codellama:latest", "codellama/CodeLlama-7b-Instruct-hf"),
        ("qwen2.5-coder:1.5b-base", "Qwen/Qwen2.5-Coder-1.5B"),
        ("qwen2.5-coder:7b-instruct-q8_0", "Qwen/Qwen2.5-Coder-7B-Instruct"),
        ("deepseek-coder:6.7b-base-fp16", "deepseek-ai/deepseek-coder-6.7b-base"),
        ("starcoder2:15b", "bigcode/starcoder2-15b"),
        ("llama3.1:8b", "meta-llama/Llama-3.1-8B-Instruct"),
        ("nano", "nano"),
        ("hf:a/folder", "a/folder"),
    ],
)
def test_a_known_name_has_its_weights(model: str, weights: str) -> None:
    assert base_weights(parse(model)) == weights


@pytest.mark.parametrize(
    "model",
    [
        "my-own-model",
        "codellama:8b",
        "codellama:7b-mine",
        "openai:http://localhost:8000/v1#gpt",
        "reference",
        "replay:codellama",
        "hf:a/folder+an/adapter",
    ],
)
def test_an_unknown_one_is_refused_with_the_option(model: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        base_weights(parse(model))
    assert "--base-weights" in (caught.value.hint or "")


def test_the_user_knows_better() -> None:
    assert base_weights(parse("codellama:7b"), "mine") == "mine"

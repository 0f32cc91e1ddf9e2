from __future__ import annotations

import pytest

from crucible_infra.errors import InvalidModelSpec
from crucible_tasks.model_spec import ModelKind, ModelSpec, normalise_url, parse

READ = {
    "ollama:codellama:7b-code": ModelSpec(ModelKind.OLLAMA, "codellama:7b-code"),
    "ollama:hf.co/x/y-GGUF:Q4_K_M": ModelSpec(ModelKind.OLLAMA, "hf.co/x/y-GGUF:Q4_K_M"),
    "ollama:http://gpu2:11434#starcoder2": ModelSpec(
        ModelKind.OLLAMA, "starcoder2", "http://gpu2:11434"
    ),
    "openai:http://localhost:8000/v1#Qwen/Q": ModelSpec(
        ModelKind.OPENAI, "Qwen/Q", "http://localhost:8000/v1"
    ),
    "openai:https://api.example.com/v1#m?style=base": ModelSpec(
        ModelKind.OPENAI, "m", "https://api.example.com/v1", style="base"
    ),
    "hf:./weights": ModelSpec(ModelKind.HF, "./weights"),
    "hf:Qwen/Q+./adapter": ModelSpec(ModelKind.HF, "Qwen/Q", adapter="./adapter"),
    "replay:a b/what?.jsonl.gz": ModelSpec(ModelKind.REPLAY, "a b/what?.jsonl.gz"),
    "reference": ModelSpec(ModelKind.REFERENCE, "reference"),
    "nano": ModelSpec(ModelKind.NANO),
    "nano:./merged": ModelSpec(ModelKind.NANO, "./merged"),
    "codellama:7b?style=chat": ModelSpec(ModelKind.NAME, "codellama:7b", style="chat"),
    "hf.co/x/y:Q4": ModelSpec(ModelKind.NAME, "hf.co/x/y:Q4"),
}


@pytest.mark.parametrize(("text", "spec"), READ.items())
def test_a_spec_is_read_and_written_back_the_same(text: str, spec: ModelSpec) -> None:
    assert parse(text) == spec
    assert str(spec) == text
    assert parse(str(spec)) == spec


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("openai:localhost:8000#m", "http://localhost:8000/v1"),
        ("openai:gpu2#m", "http://gpu2/v1"),
        ("openai:http://GPU2:8000/#m", "http://gpu2:8000/v1"),
        ("openai:http://h/v1/chat/completions#m", "http://h/v1"),
        ("openai:http://h/deep/api/#m", "http://h/deep/api"),
        ("openai:[::1]:8080#m", "http://[::1]:8080/v1"),
        ("ollama:gpu2:11434#m", "http://gpu2:11434"),
    ],
)
def test_a_short_address_becomes_a_whole_url(text: str, url: str) -> None:
    assert parse(text).url == url


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not a model spec"),
        ("a\nb", "is not a model spec"),
        ("ollama:", "lacks a name"),
        ("ollama:http://h#", "lacks a name after #"),
        ("openai:http://h/v1", "does not say which model"),
        ("openai:#m", "is not an http or https URL"),
        ("openai:ftp://h#m", "is not an http or https URL"),
        ("openai:http://h:99999#m", "is not an http or https URL"),
        ("openai:http://me:secret@h#m", "must not carry a user or a password"),
        ("http://h/v1#m", "does not say what kind of server"),
        ("replay:", "lacks a file"),
        ("hf:", "lacks a path or id"),
        ("hf:a+", "lacks an adapter after +"),
        ("hf:+b", "lacks a path or id"),
        ("reference:x", "takes no name"),
        ("nano:", "lacks a directory"),
        ("ollama:m?style=fancy", "is not an option"),
        ("ollama:m?temperature=1", "is not an option"),
        ("?style=base", "lacks a name"),
    ],
)
def test_a_wrong_spec_says_what_is_wrong_and_what_to_write(text: str, problem: str) -> None:
    with pytest.raises(InvalidModelSpec) as caught:
        parse(text)
    assert problem in caught.value.message
    assert caught.value.hint
    assert "secret" not in caught.value.message


def test_a_url_keeps_its_path_and_loses_the_endpoint() -> None:
    assert normalise_url("https://h/v1/models", "/v1") == "https://h/v1"
    assert normalise_url("h:1", "") == "http://h:1"

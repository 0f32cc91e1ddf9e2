from __future__ import annotations

import pytest

from crucible_workers.models import style

FILL_IN = (
    "{{- if .Suffix }}<PRE> {{ .Prompt }} <SUF>{{ .Suffix }} <MID>"
    "{{- else }}{{ .Prompt }}{{- end }}"
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("codellama:7b-code", "base"),
        ("codellama:code", "base"),
        ("deepseek-coder:6.7b-base", "base"),
        ("deepseek-ai/deepseek-coder-6.7b-base", "base"),
        ("codellama:7b-instruct", "chat"),
        ("google/gemma-2-9b-it", "chat"),
        ("knowledge-base-chat", "chat"),
        ("granite-code:8b", None),
        ("database-expert", None),
        ("Qwen/Qwen2.5-Coder-7B", None),
    ],
)
def test_a_name_says_its_style_only_by_a_whole_word(name: str, expected: str | None) -> None:
    assert style.of_spec_or_name(None, name) == expected


def test_the_spec_overrides_the_name() -> None:
    assert style.of_spec_or_name("chat", "x-base") == "chat"


@pytest.mark.parametrize(
    ("template", "modelfile", "expected"),
    [
        ("{{ .Prompt }}", "FROM x", "base"),
        ("", "FROM x", "base"),
        (FILL_IN, "FROM x", "base"),
        ("[INST] {{ .Prompt }} [/INST]", "FROM x", "chat"),
        ("{{- range .Messages }}{{ .Content }}{{ end }}", "FROM x", "chat"),
        ("{{ .Prompt }}", "FROM x\nRENDERER qwen3-coder\nPARSER qwen3-coder\n", "chat"),
    ],
)
def test_a_template_that_adds_something_is_a_chat(
    template: str, modelfile: str, expected: str
) -> None:
    assert style.of_ollama(template, modelfile) == expected

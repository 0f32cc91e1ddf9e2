"""Names of the user's configuration where a model is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crucible_infra import settings
from crucible_infra.configured_models import (
    EndpointEntry,
    ModelEntry,
    RouterEntry,
    RouterMember,
)
from crucible_infra.errors import InvalidModelSpec
from crucible_tasks.model_names import spelled_out

CONFIGURED = replace(
    settings.read({}),
    models={
        "coder": ModelEntry(spec="work/qwen/7b"),
        "daily": ModelEntry(spec="coder"),
        "styled": ModelEntry(spec="ollama:m?style=base"),
        "a": ModelEntry(spec="b"),
        "b": ModelEntry(spec="a"),
        "hybrid": ModelEntry(router=RouterEntry("fast", (RouterMember("fast", "coder"),))),
        "mixed": ModelEntry(spec="hybrid"),
    },
    endpoints={
        "work": EndpointEntry("http://models.example/v1"),
        "box": EndpointEntry("http://box:11434", "ollama"),
    },
)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("coder", "openai:http://models.example/v1#qwen/7b"),
        ("daily", "openai:http://models.example/v1#qwen/7b"),
        ("daily?style=base", "openai:http://models.example/v1#qwen/7b?style=base"),
        ("styled", "ollama:m?style=base"),
        ("styled?style=chat", "ollama:m?style=chat"),
        ("work/other", "openai:http://models.example/v1#other"),
        ("box/codellama:7b", "ollama:http://box:11434#codellama:7b"),
        ("hybrid", "hybrid"),
        ("mixed", "hybrid"),
        ("unknown", "unknown"),
        ("nobody/knows", "nobody/knows"),
        ("ollama:coder", "ollama:coder"),
        ("nano", "nano"),
    ],
)
def test_a_name_means_what_the_configuration_says(text: str, meant: str) -> None:
    assert spelled_out(text, CONFIGURED) == meant


def test_a_circle_of_names_is_refused() -> None:
    with pytest.raises(InvalidModelSpec, match="circle: a -> b -> a"):
        spelled_out("a", CONFIGURED)

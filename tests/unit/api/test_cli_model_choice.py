"""Of what answers, the likeliest code model is asked."""

from __future__ import annotations

from crucible_api.cli.model_choice import preferred
from crucible_tasks.generation import ModelIdentity


def _named(*names: str) -> list[ModelIdentity]:
    return [ModelIdentity(f"ollama:{name}", name, "ollama", "0" * 64, "chat") for name in names]


def test_a_code_model_comes_before_what_was_listed_first() -> None:
    found = preferred(_named("llama3", "qwen2.5-coder:1.5b", "codellama"))
    assert found is not None
    assert found.name == "qwen2.5-coder:1.5b"


def test_a_model_that_only_embeds_is_never_asked() -> None:
    assert preferred(_named("nomic-embed-text", "mistral")) == _named("mistral")[0]
    assert preferred(_named("nomic-embed-code")) is None
    assert preferred([]) is None

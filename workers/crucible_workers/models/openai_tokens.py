"""Counting a prompt's tokens with the tokenizer of its own server: llama.cpp and vLLM have one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from crucible_infra.errors import ModelError
from crucible_tasks.generation import Prompt
from crucible_workers.models.http import HttpClient
from crucible_workers.models.patience import Patience


class _Templated(msgspec.Struct, frozen=True):
    """llama.cpp's /apply-template: what a chat really is to the model."""

    prompt: str


class _Tokens(msgspec.Struct, frozen=True):
    """llama.cpp's /tokenize."""

    tokens: list[Any]


class _Count(msgspec.Struct, frozen=True):
    """vLLM's /tokenize."""

    count: int


@dataclass(frozen=True, slots=True)
class ServerTokenizer:
    """The tokenizer behind one server, where it offers it."""

    #: without /v1
    root: str
    patience: Patience
    api_key: str | None
    #: as the model's identity has it
    server: str
    model: str

    def count(self, prompt: Prompt) -> int | None:
        """The prompt's tokens, with what the chat template adds; None where it will not tell."""
        kind = self.server.partition(" ")[0]
        ask = {"llama.cpp": self._of_llama_cpp, "vllm": self._of_vllm}.get(kind)
        if ask is None:
            return None
        http = HttpClient(self.root, self.patience, self.api_key)
        try:
            return ask(http, prompt)
        except ModelError:
            # an older build
            return None
        finally:
            http.close()

    def _of_llama_cpp(self, http: HttpClient, prompt: Prompt) -> int:
        text = prompt.text
        if text is None:
            turns = {"messages": _turns(prompt)}
            text = http.describe("/apply-template", turns, _Templated).prompt
        question = {"content": text, "add_special": True, "parse_special": True}
        return len(http.describe("/tokenize", question, _Tokens).tokens)

    def _of_vllm(self, http: HttpClient, prompt: Prompt) -> int:
        chat = {"messages": _turns(prompt)}
        question = chat if prompt.text is None else {"prompt": prompt.text}
        return http.describe("/tokenize", {"model": self.model, **question}, _Count).count


def _turns(prompt: Prompt) -> list[dict[str, str]]:
    return [{"role": turn.role, "content": turn.content} for turn in prompt.messages]

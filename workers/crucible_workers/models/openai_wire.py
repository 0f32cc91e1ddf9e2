"""The OpenAI dialect: what compatible servers list and answer, and what we send."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from crucible_tasks.generation import Prompt
from crucible_tasks.sampling import Sampling

#: OpenAI takes no more and others copied that; the full list is applied to the text afterwards
STOP_LIMIT = 4

#: samples of one request; more gain little, and are lost together
N_LIMIT = 32

#: asks for the count of tokens at the end of a stream
STREAM_OPTIONS = "stream_options"


class Card(msgspec.Struct, frozen=True):
    """One model of /v1/models, with what vLLM and llama.cpp add."""

    id: str
    owned_by: str | None = None
    #: vLLM: path of the weights, and what a LoRA stands on
    root: str | None = None
    parent: str | None = None
    max_model_len: int | None = None
    #: llama.cpp: sizes and training context
    meta: dict[str, Any] | None = None


class Cards(msgspec.Struct, frozen=True):
    """The answer of /v1/models."""

    data: tuple[Card, ...]


class Turn(msgspec.Struct, frozen=True):
    """The message of a chat choice."""

    content: str | None = None
    #: llama.cpp and DeepSeek say the one, LM Studio and Ollama the other
    reasoning_content: str | None = None
    reasoning: str | None = None


class Choice(msgspec.Struct, frozen=True):
    """One sample of an answer."""

    index: int | None = None
    text: str | None = None
    message: Turn | None = None
    finish_reason: str | None = None

    @property
    def answer(self) -> str:
        """The text; reasoning is never part of it."""
        return self.text or (self.message and self.message.content) or ""

    @property
    def has_reasoning(self) -> bool:
        """Whether the model thought before it answered."""
        turn = self.message
        return bool(turn and (turn.reasoning_content or turn.reasoning))


class StreamedChoice(msgspec.Struct, frozen=True):
    """A piece of an answer; `message` where a server sends it whole nevertheless."""

    text: str | None = None
    delta: Turn | None = None
    message: Turn | None = None
    finish_reason: str | None = None

    @property
    def said(self) -> str:
        """What is new of the answer."""
        return self.text or self._turn.content or ""

    @property
    def thought(self) -> str:
        """What is new of the reasoning."""
        return self._turn.reasoning_content or self._turn.reasoning or ""

    @property
    def _turn(self) -> Turn:
        return self.delta or self.message or Turn()


class Usage(msgspec.Struct, frozen=True):
    """Tokens of the prompt, and of all choices together."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Reported(msgspec.Struct, frozen=True):
    """What comes with 200 and may be an error nevertheless, nested, flat or as a string."""

    usage: Usage | None = None
    error: Any = None
    object: str | None = None
    message: str | None = None
    type: str | None = None
    code: Any = None

    @property
    def fault(self) -> Any:
        """The error, or None."""
        if self.error is not None:
            return self.error
        if self.object == "error":
            return {"message": self.message, "type": self.type, "code": self.code}
        return None


class Answer(Reported, frozen=True):
    """The whole answer of both endpoints."""

    choices: tuple[Choice, ...] | None = None


class Chunk(Reported, frozen=True):
    """One event of a streamed answer; the last one may carry nothing but the usage."""

    choices: tuple[StreamedChoice, ...] | None = None


@dataclass(frozen=True, slots=True)
class Dialect:
    """What was learnt about a server from its answers."""

    #: newer OpenAI models want `max_completion_tokens`
    limit_field: str = "max_tokens"
    #: options it does not know; only ones whose value changes nothing are left out
    unknown: frozenset[str] = field(default_factory=frozenset)
    n_limit: int = N_LIMIT
    #: whether n samples of one request were seen to differ
    is_n_proven: bool = False

    def streamed_body(self, model: str, prompt: Prompt, sampling: Sampling, seed: int) -> Any:
        """The same for one answer that comes piece by piece, and is counted at its end."""
        body = self.body(model, prompt, sampling, seed, 1) | {"stream": True}
        if STREAM_OPTIONS not in self.unknown:
            body[STREAM_OPTIONS] = {"include_usage": True}
        return body

    def body(
        self, model: str, prompt: Prompt, sampling: Sampling, seed: int, n: int
    ) -> dict[str, Any]:
        """The body of /completions (raw text) or /chat/completions, every option in full."""
        body: dict[str, Any] = {
            "model": model,
            "stream": False,
            "n": n,
            "seed": seed,
            self.limit_field: sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
        }
        extensions = _extensions(sampling)
        body |= {name: value for name, value in extensions.items() if name not in self.unknown}
        if prompt.stop:
            body["stop"] = prompt.stop[:STOP_LIMIT]
        if prompt.text is not None:
            return body | {"prompt": prompt.text}
        messages = [{"role": turn.role, "content": turn.content} for turn in prompt.messages]
        return body | {"messages": messages}


def neutral_extensions(sampling: Sampling) -> frozenset[str]:
    """Options outside OpenAI's own list that, at these values, a server may do without."""
    neutral = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "repeat_penalty": 1.0}
    sent = _extensions(sampling)
    return frozenset(name for name, value in neutral.items() if sent[name] == value)


def _extensions(sampling: Sampling) -> dict[str, float]:
    return {
        # llama.cpp defaults to 40 and 0.05, vLLM to what the model's authors like
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        # vLLM says the one, llama.cpp and LM Studio the other
        "repetition_penalty": sampling.repetition_penalty,
        "repeat_penalty": sampling.repetition_penalty,
    }

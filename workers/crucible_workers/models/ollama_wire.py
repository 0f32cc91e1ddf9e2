"""Ollama's messages: what its server lists, describes and streams, and what we send."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from crucible_tasks.generation import Prompt
from crucible_tasks.sampling import Sampling

#: keeps the model loaded between two challenges of a run
_KEEP_ALIVE = "30m"

#: a line of /api/show's `parameters`: `stop    "<|im_end|>"`
_STOP_PARAMETER = re.compile(r'^stop\s+"?(?P<stop>.*?)"?\s*$', re.MULTILINE)


class Details(msgspec.Struct, frozen=True):
    """What the weights' file says about itself."""

    format: str | None = None
    family: str | None = None
    parameter_size: str | None = None
    quantization_level: str | None = None


class Tag(msgspec.Struct, frozen=True):
    """One model of /api/tags."""

    name: str
    model: str = ""
    digest: str = ""
    details: Details | None = None
    remote_model: str | None = None
    remote_host: str | None = None

    @property
    def is_remote(self) -> bool:
        """Whether it runs in the cloud and only looks local."""
        tag = self.name.rpartition(":")[2]
        return bool(self.remote_host or self.remote_model) or tag.split("-")[-1] == "cloud"

    def is_called(self, name: str) -> bool:
        """Whether users mean this model by the name; `latest` need not be written."""
        tagged = name if ":" in name.rpartition("/")[2] else f"{name}:latest"
        return tagged in (self.name, self.model)


class Tags(msgspec.Struct, frozen=True):
    """The answer of /api/tags; a Go server writes an empty list as null."""

    models: tuple[Tag, ...] | None


class Version(msgspec.Struct, frozen=True):
    """The answer of /api/version."""

    version: str


class Description(msgspec.Struct, frozen=True):
    """The answer of /api/show."""

    modelfile: str = ""
    parameters: str = ""
    template: str = ""
    system: str = ""
    details: Details | None = None
    model_info: dict[str, Any] | None = None
    #: None where the server is too old to tell
    capabilities: tuple[str, ...] | None = None

    @property
    def context_tokens(self) -> int | None:
        """The context the weights were trained for."""
        for name, value in (self.model_info or {}).items():
            if name.endswith(".context_length") and isinstance(value, int):
                return value
        return None

    @property
    def stop(self) -> tuple[str, ...]:
        """Stop words of the Modelfile; a request's own would replace them."""
        return tuple(match["stop"] for match in _STOP_PARAMETER.finditer(self.parameters))


class Turn(msgspec.Struct, frozen=True):
    """A piece of a chat answer."""

    content: str | None = None
    thinking: str | None = None


class Line(msgspec.Struct, frozen=True):
    """One line of an answer; the last one has `done`."""

    response: str | None = None
    thinking: str | None = None
    message: Turn | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    error: Any = None

    @property
    def text(self) -> str:
        """The answer's own text."""
        return self.response or (self.message and self.message.content) or ""

    @property
    def reasoning(self) -> str:
        """What is thought, not said."""
        return self.thinking or (self.message and self.message.thinking) or ""


def body_of(
    model: str, prompt: Prompt, sampling: Sampling, seed: int, described: Description
) -> dict[str, Any]:
    """The body of /api/generate (raw text) or /api/chat, with every option in full."""
    stop = prompt.stop if prompt.text is not None else (*prompt.stop, *described.stop)
    body: dict[str, Any] = {
        "model": model,
        "stream": True,
        "keep_alive": _KEEP_ALIVE,
        # else the server drops what does not fit, and only its log says so
        "truncate": False,
        "shift": False,
        "options": _options(sampling, seed, stop),
    }
    if "thinking" in (described.capabilities or ()):
        # thinks by default, and the thoughts eat num_predict; other models answer 400 to it
        body["think"] = False
    if prompt.text is not None:
        return body | {"prompt": prompt.text, "raw": True}
    messages = [{"role": turn.role, "content": turn.content} for turn in prompt.messages]
    return body | {"messages": messages}


def _options(sampling: Sampling, seed: int, stop: tuple[str, ...]) -> dict[str, Any]:
    return {
        "seed": seed,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "typical_p": 1.0,
        "repeat_penalty": sampling.repetition_penalty,
        # the whole context, as vLLM counts; 0 turns the penalty off
        "repeat_last_n": 0 if sampling.repetition_penalty == 1.0 else -1,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "num_predict": sampling.max_tokens,
        # constant within a run: another value makes the server load the model again
        "num_ctx": sampling.context_tokens,
        "stop": stop,
    }

"""Implements answering: opens the model of a spec in this process, and streams what it says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

from crucible_infra.errors import ContextOverflow
from crucible_tasks.answering import AnswerEnd, Answerer, AnswerEvent, AnswerRequest, Found
from crucible_tasks.generation import Message, ModelIdentity, Prompt
from crucible_tasks.sampling import Sampling
from crucible_workers.models import open_model, style
from crucible_workers.models.interface import Ended, Model
from crucible_workers.models.patience import Patience
from crucible_workers.models.reasoning import marked

#: a person waits
_PATIENCE = Patience(
    connect=2.0, metadata=5.0, retries=3, retry_after_cap=20.0, backoff_cap=4.0, is_hurried=True
)

#: what a chat template may add to each message, in tokens
_TEMPLATE = 64

#: a server that lets the client choose the context loads the model again for another one, so it
#: is asked for few different ones
_WINDOWS = (8192, 16384, 32768, 65536, 131072, 262144)

#: bytes of a token; a low guess, so that a window is rather too large
_BYTES_PER_TOKEN = 2.5


class ModelAnswerer:
    """One model, open in this process."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def identity(self) -> ModelIdentity:
        """Which weights answer."""
        return self._model.identity()

    def answer(self, request: AnswerRequest) -> Iterator[AnswerEvent]:
        """What the model says, and how it ended."""
        prompt = prompt_of(request.messages, self.identity().style)
        sampling = self._fitted(prompt, request.sampling)
        began = time.monotonic()
        first: float | None = None
        with closing(self._model.stream(prompt, sampling, request.seed)) as events:
            for event in marked(events):
                seconds = time.monotonic() - began
                first = seconds if first is None else first
                yield self._end(event, first, seconds) if isinstance(event, Ended) else event

    def close(self) -> None:
        """Let go of connections and memory."""
        self._model.close()

    def _end(self, ended: Ended, first: float, seconds: float) -> AnswerEnd:
        return AnswerEnd(
            model=self.identity(),
            finish=ended.finish,
            prompt_tokens=ended.prompt_tokens,
            completion_tokens=ended.completion_tokens,
            first_piece_seconds=round(first, 3),
            seconds=round(seconds, 3),
        )

    def _fitted(self, prompt: Prompt, sampling: Sampling) -> Sampling:
        """The sampling with a context that the prompt fits into, and no more tokens than are left.

        Raises ContextOverflow where the prompt alone is known to fill the model's context.
        """
        context = self.identity().context_tokens
        size = size_of(prompt)
        window = _window(size / _BYTES_PER_TOKEN + sampling.max_tokens, sampling.context_tokens)
        window = window if context is None else min(window, context)
        sampling = replace(sampling, context_tokens=window)
        # no tokenizer needs more than one token for a byte
        if context is None or size + sampling.max_tokens <= context:
            return sampling
        counted = self._model.count(prompt)
        tokens = least_tokens(prompt) if counted is None else counted
        if tokens >= context:
            raise _overflow(tokens, context, self.identity().name, is_counted=counted is not None)
        if counted is None:
            return sampling
        return replace(sampling, max_tokens=min(sampling.max_tokens, context - counted))


def open_answerer(spec: str) -> Answerer:
    """Open the model of a spec in this process.

    Raises InvalidModelSpec, or the ModelErrors that opening a model raises.
    """
    return ModelAnswerer(open_model(spec, None, _PATIENCE))


def find_models() -> tuple[Found, ...]:
    """What answers on the usual ports of this host, in the order of preference."""
    from crucible_workers.models.discovery import discover  # noqa: PLC0415 -- it loads HTTP

    return tuple(
        Found(str(spec), spec.name, endpoint.place.label)
        for endpoint in discover()
        for spec in endpoint.specs
    )


def prompt_of(messages: tuple[Message, ...], kind: str) -> Prompt:
    """The conversation as this kind of model takes it.

    A base model continues text: what was said stands behind each other, and an answer stands where
    it was given, right behind what it continues.
    """
    if kind != style.BASE:
        return Prompt(messages=messages)
    text = ""
    for message in messages:
        is_answer = message.role == "assistant"
        text += message.content if is_answer or not text else f"\n\n{message.content}"
    return Prompt(text=text)


def size_of(prompt: Prompt) -> int:
    """Bytes of a prompt, and what a template may add: no model has more tokens for it."""
    texts = [prompt.text] if prompt.text is not None else [m.content for m in prompt.messages]
    return sum(len(text.encode(errors="replace")) + _TEMPLATE for text in texts)


def least_tokens(prompt: Prompt) -> int:
    """Tokens that a prompt has at least: as many as words, because none spans two.

    Code has about twice as many, so this refuses only what cannot fit.
    """
    texts = [prompt.text] if prompt.text is not None else [m.content for m in prompt.messages]
    return sum(len(text.split()) for text in texts)


def _window(tokens: float, least: int) -> int:
    return next((size for size in _WINDOWS if size >= max(tokens, least)), max(_WINDOWS[-1], least))


def _overflow(tokens: int, context: int, name: str, *, is_counted: bool) -> ContextOverflow:
    about = f"{tokens} tokens" if is_counted else f"at least {tokens} tokens, counted as words,"
    return ContextOverflow(
        f"a prompt of {about} does not fit into the {context} of {name}; nothing was sent",
        hint="send less, or choose a model with a larger context",
    )

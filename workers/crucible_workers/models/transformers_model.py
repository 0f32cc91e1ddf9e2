"""Weights on this host, sampled in this process with transformers: no server in between.

Threads may share a model: one samples, the others wait. The weights are loaded by the first that
samples and given back when the model is closed.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from crucible_infra.errors import ContextOverflow, ModelError, RequestRefused
from crucible_tasks.answering import Piece
from crucible_tasks.completion import Completion, Finish
from crucible_tasks.generation import ModelIdentity, Prompt
from crucible_tasks.model_spec import ModelSpec
from crucible_tasks.sampling import Sampling
from crucible_workers.models.interface import Ended, Model, SampleRequest, Streaming
from crucible_workers.models.patience import Patience
from crucible_workers.models.sampled import Sampled, completion_of
from crucible_workers.models.transformers_batch import Batch, Row, Task
from crucible_workers.models.transformers_tokens import Growing, cut
from crucible_workers.models.transformers_weights import (
    Weights,
    describe,
    device_kind,
    free_bytes,
    refusal,
)

#: samples of one pass: a GPU reads the weights once for all of them, a CPU soon has to compute more
_ROWS = {"cuda": 32, "cpu": 8}

#: share of the free memory that the cache of a pass may take
_CACHE_SHARE = 0.5


class TransformersModel(Model):
    """One model of this process."""

    def __init__(self, weights: Weights, patience: Patience) -> None:
        self._weights = weights
        self._patience = patience
        self._lock = threading.Lock()
        self._batch: Batch | None = None
        #: bytes the cache may take, measured once: it decides how many rows a step has
        self._room = 0
        self._is_closed = False

    def identity(self) -> ModelIdentity:
        """Which weights answer."""
        return self._weights.identity

    @property
    def samples_per_call(self) -> int:
        """As many as one pass draws."""
        return _ROWS[device_kind()]

    @property
    def is_on_gpus_here(self) -> bool:
        """Where torch computes on one."""
        return device_kind() == "cuda"

    def sample(self, request: SampleRequest) -> tuple[Completion, ...]:
        """Pass by pass, in the order of the indices."""
        prompt = self._weights.tokens.encode(request.prompt)
        limit = self._limit(request.task_id, request.sampling, len(prompt))
        found: dict[int, Completion] = {}
        # one pass at a time: two would take each other's memory and be no quicker
        with self._lock:
            batch = self._loaded()
            height = self._height(len(prompt) + limit)
            deadline = self._patience.deadline(limit)
            stop = request.prompt.stop
            task = Task(prompt, request.sampling, stop, limit, height, deadline)
            for indices in _passes(request.indices, height):
                rows = self._pass(batch, task, request, indices)
                found |= {i: self._completion(i, row, task, request) for i, row in rows.items()}
        return tuple(found[index] for index in request.indices)

    def stream(self, prompt: Prompt, sampling: Sampling, seed: int) -> Streaming:
        """One answer, token by token, drawn alone."""
        ids = self._weights.tokens.encode(prompt)
        limit = self._limit(self._weights.name, sampling, len(ids))
        task = Task(ids, sampling, prompt.stop, limit, 1, self._patience.deadline(limit))
        with self._lock:
            yield from self._streamed(self._loaded(), task, seed)

    def count(self, prompt: Prompt) -> int | None:
        """As its tokenizer has them."""
        return len(self._weights.tokens.encode(prompt))

    def close(self) -> None:
        """Give the memory back."""
        with self._lock:
            self._batch, self._is_closed = None, True
        if device_kind() == "cuda":
            torch.cuda.empty_cache()

    def _loaded(self) -> Batch:
        if self._is_closed:
            raise RequestRefused(f"{self._weights.name} was closed")
        if self._batch is None:
            model = self._weights.load()
            self._room = int(free_bytes() * _CACHE_SHARE)
            self._batch = Batch(model, self._weights.tokens)
        return self._batch

    def _streamed(self, batch: Batch, task: Task, seed: int) -> Streaming:
        text, held, told = Growing(self._weights.tokens, task.prompt), "", 0
        longest = max(map(len, task.stop), default=1)
        row = Row(random.Random(seed))
        with self._named_errors():
            for _ in batch.stream(task, row):
                held += "".join(text.add(token) for token in row.ids[told:])
                told = len(row.ids)
                # the beginning of a stop word is no text yet
                ready = held[: max(len(held) - longest + 1, 0)]
                if ready and cut(held, task.stop) is None:
                    yield Piece(ready)
                    held = held[len(ready) :]
        held += text.rest()
        ended = cut(held, task.stop)
        if last := held if ended is None else ended:
            yield Piece(last)
        finish = row.finish if ended is None else Finish.STOP
        yield Ended(finish, len(task.prompt), row.tokens)

    def _limit(self, place: str, sampling: Sampling, prompt: int) -> int:
        """Tokens a sample may have: what was asked for, as far as the context reaches."""
        trained = self._weights.identity.context_tokens or sampling.context_tokens
        context = min(trained, sampling.context_tokens)
        if not 0 < prompt < context:
            raise ContextOverflow(
                f"{place}: a prompt of {prompt} tokens leaves no room in a context of {context}",
                hint="choose a model with a larger context",
            )
        return min(sampling.max_tokens, context - prompt)

    def _height(self, tokens: int) -> int:
        """Rows of a step: the same for a prompt however many samples are asked for."""
        height = self.samples_per_call
        needed = tokens * _cache_bytes(self._weights.config)
        while height > 1 and height * needed > self._room:
            height //= 2
        return height

    def _pass(
        self, batch: Batch, task: Task, request: SampleRequest, indices: tuple[int, ...]
    ) -> dict[int, Row]:
        seeds = {index % task.height: request.seed(index) for index in indices}
        with self._named_errors():
            rows = batch.sample(task, seeds)
        return {index: rows[index % task.height] for index in indices}

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except ModelError:
            raise
        # torch has no common base for what a device or a kernel raises
        except Exception as error:
            raise refusal(self._weights.name, error) from error

    def _completion(self, index: int, row: Row, task: Task, request: SampleRequest) -> Completion:
        whole = self._weights.tokens.text(task.prompt, row.ids)
        ended = cut(whole, task.stop)
        sampled = Sampled(
            index=index,
            text=whole if ended is None else ended,
            finish=row.finish if ended is None else Finish.STOP,
            prompt_tokens=len(task.prompt),
            completion_tokens=row.tokens,
        )
        return completion_of(sampled, request, row.seconds, None)


def open_transformers(spec: ModelSpec, patience: Patience) -> TransformersModel:
    """Find and describe the weights; see `Model` for what it raises."""
    return TransformersModel(describe(spec), patience)


def _passes(indices: tuple[int, ...], height: int) -> Iterator[tuple[int, ...]]:
    """Indices that have different rows, as few times as that takes."""
    waiting = list(dict.fromkeys(indices))
    while waiting:
        taken: dict[int, int] = {}
        for index in waiting:
            taken.setdefault(index % height, index)
        yield tuple(taken.values())
        waiting = [index for index in waiting if taken[index % height] != index]


def _cache_bytes(config: Any) -> int:
    """Bytes that one token of one sample takes in the cache, at most."""
    text = config.get_text_config()
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    size = 4 if device_kind() == "cpu" else 2
    return int(2 * text.num_hidden_layers * heads * width * size)

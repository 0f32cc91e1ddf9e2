"""Samples one prompt many times at once, so that a sample is the same alone and among others.

transformers' own `generate` has one generator for a whole batch, so a text would depend on what is
sampled beside it. Here the prompt is read once, its cache is repeated, and every step has the same
number of rows, whether they are asked for or not: matrix products of another height are summed up
in another order, and a last digit can decide between two tokens. A sample has the row that its
index says. What the other rows hold changes nothing in its own, except where a model routes tokens
to experts: those are multiplied in heights that depend on all rows.
"""

from __future__ import annotations

import inspect
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import torch
from transformers import DynamicCache

from crucible_infra.errors import ServerTimeout
from crucible_tasks.completion import Finish
from crucible_tasks.sampling import Sampling
from crucible_workers.models.transformers_drawing import drawn, penalise
from crucible_workers.models.transformers_tokens import Tokens


@dataclass(slots=True)
class Row:
    """One sample under way."""

    chance: random.Random
    ids: list[int] = field(default_factory=list)
    #: the token that ended it is counted, though it is no text
    tokens: int = 0
    finish: Finish = Finish.LENGTH
    seconds: float | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing more is drawn for it."""
        return self.seconds is not None


@dataclass(frozen=True, slots=True)
class Task:
    """One prompt and how it is continued."""

    prompt: list[int]
    sampling: Sampling
    stop: tuple[str, ...]
    #: tokens a sample may have
    limit: int
    #: rows of every step
    height: int
    #: on the monotonic clock
    deadline: float


class Batch:
    """A model and its tokenizer; for one thread at a time."""

    def __init__(self, model: Any, tokens: Tokens) -> None:
        self._model = model
        self._tokens = tokens
        parameters = inspect.signature(model.forward).parameters
        # renamed in transformers 5.2x
        self._cache_name = "cache" if "cache" in parameters else "past_key_values"
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in parameters else {}

    @torch.inference_mode()
    def sample(self, task: Task, seeds: Mapping[int, int]) -> dict[int, Row]:
        """A finished sample for each row that has a seed. Raises ServerTimeout at the deadline."""
        rows = {place: Row(random.Random(seed)) for place, seed in seeds.items()}
        for _ in self._drawn(task, rows):
            pass
        return rows

    @torch.inference_mode()
    def stream(self, task: Task, row: Row) -> Iterator[int]:
        """One sample, told after each of its tokens. Raises ServerTimeout as well."""
        yield from self._drawn(task, {0: row})

    def _drawn(self, task: Task, rows: Mapping[int, Row]) -> Iterator[int]:
        """Draw for all rows until they are done; yields how many tokens each has at most."""
        began = time.monotonic()
        for step in self._steps(task, rows):
            now = time.monotonic()
            for row in rows.values():
                if not row.is_done and (self._ends(row, task) or step == task.limit):
                    row.seconds = now - began
            yield step
            if all(row.is_done for row in rows.values()):
                return
            if now > task.deadline:
                raise ServerTimeout(f"{step} tokens took longer than a sample may take")

    def _steps(self, task: Task, rows: Mapping[int, Row]) -> Iterator[int]:
        """Draw a token for every row, again and again; yields how many each has."""
        cache = DynamicCache(config=self._model.config)
        logits = self._forward(torch.tensor([task.prompt]), cache)
        cache.batch_repeat_interleave(task.height)
        logits = logits.expand(task.height, -1)
        seen = self._seen(task, logits)
        for step in count(1):
            if seen is not None:
                logits = penalise(logits, seen, task.sampling.repetition_penalty)
            tokens = drawn(logits, task.sampling, _chances(task, rows))
            for place, row in rows.items():
                if not row.is_done:
                    row.ids.append(int(tokens[place]))
            yield step
            if seen is not None:
                seen.scatter_(1, tokens[:, None].to(seen.device), value=True)
            logits = self._forward(tokens[:, None], cache)

    def _forward(self, ids: torch.Tensor, cache: DynamicCache) -> torch.Tensor:
        options = {self._cache_name: cache, "use_cache": True, **self._last_only}
        found = self._model(input_ids=ids.to(self._model.device), **options)
        logits: torch.Tensor = found.logits[:, -1]
        return logits

    def _seen(self, task: Task, logits: torch.Tensor) -> torch.Tensor | None:
        if task.sampling.repetition_penalty == 1:
            return None
        seen = torch.zeros(logits.shape, dtype=torch.bool, device=logits.device)
        seen[:, torch.tensor(task.prompt, device=logits.device)] = True
        return seen

    def _ends(self, row: Row, task: Task) -> bool:
        row.tokens = len(row.ids)
        if row.ids[-1] in self._tokens.ends:
            row.ids.pop()
            row.finish = Finish.STOP
            return True
        return self._tokens.has_stop(row.ids, task.stop)


def _chances(task: Task, rows: Mapping[int, Row]) -> list[float]:
    live = {place: row for place, row in rows.items() if not row.is_done}
    return [live[place].chance.random() if place in live else 0.0 for place in range(task.height)]

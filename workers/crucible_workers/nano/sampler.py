"""Sampling many texts at once: whoever asks joins the batch that is under way.

A step for one text costs nearly as much as one for ten. So requests of several threads share one
batch: the first thread steps it until its own texts are done, then another takes over. A text
depends on its prompt, its options and its seed, not on what is sampled beside it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Condition

import numpy as np
from threadpoolctl import ThreadpoolController

from crucible_tasks.sampling import Sampling
from crucible_workers.nano.drawing import drawn, penalised
from crucible_workers.nano.llama import Cache, Llama
from crucible_workers.nano.tokenizer import Tokenizer
from crucible_workers.nano.weight_file import Array

#: texts in one batch; more hardly gain speed, and each takes 8 KiB for every token it has
LARGEST_BATCH = 48

#: positions by which the cache grows
_GROWTH = 64


@dataclass(slots=True)
class Text:
    """One text under way."""

    prompt: tuple[int, ...]
    sampling: Sampling
    #: tokens it may have
    limit: int
    chance: random.Random
    tokens: list[int] = field(default_factory=list)
    is_done: bool = False
    #: whether it was ended by its limit
    is_cut: bool = False

    @property
    def length(self) -> int:
        """Tokens with the prompt's."""
        return len(self.prompt) + len(self.tokens)


class Sampler:
    """A model and its tokenizer; threads may share it."""

    def __init__(self, model: Llama, tokenizer: Tokenizer) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self._batch = _Batch(model)
        self._waiting: list[Text] = []
        self._changed = Condition()
        self._is_led = False
        self._threads = ThreadpoolController()

    def sample(
        self, prompt: Sequence[int], sampling: Sampling, seeds: Sequence[int], limit: int
    ) -> list[Text]:
        """Continue the prompt once for every seed, by at most `limit` tokens."""
        given = tuple(prompt)
        texts = [Text(given, sampling, limit, random.Random(seed)) for seed in seeds]
        with self._changed:
            self._waiting += texts
            while self._is_led and not _are_done(texts):
                self._changed.wait()
            if _are_done(texts):
                return texts
            self._is_led = True
        try:
            self._lead(texts)
        finally:
            with self._changed:
                self._is_led = False
                self._changed.notify_all()
        return texts

    def _lead(self, texts: Sequence[Text]) -> None:
        """Step the batch, whosever texts are in it, until these are done."""
        # matrices this small are multiplied by one thread sooner than by several, which would wait
        # for each other, and burn what the sandbox could use meanwhile
        with self._threads.limit(limits=1, user_api="blas"):
            while not _are_done(texts):
                with self._changed:
                    free = LARGEST_BATCH - self._batch.count
                    joining, self._waiting = self._waiting[:free], self._waiting[free:]
                self._batch.add(joining)
                if self._batch.step():
                    with self._changed:
                        self._changed.notify_all()


class _Batch:
    """The texts under way; text i has slot i of the cache."""

    def __init__(self, model: Llama) -> None:
        self._model = model
        self._texts: list[Text] = []
        self._cache = Cache(model.shape, 0, 0)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._texts)

    def add(self, texts: Sequence[Text]) -> None:
        """Read the prompts and draw the first tokens."""
        if not texts:
            return
        self._make_room(len(texts), max(text.length for text in texts) + _GROWTH)
        before: Text | None = None
        for text in texts:
            slot = len(self._texts)
            if before is None or before.prompt is not text.prompt:
                logits = self._read(text.prompt, slot)
            else:
                # the samples of one challenge read its prompt once
                self._cache.copy(slot - 1, slot, len(text.prompt))
            self._texts.append(text)
            self._take(logits, [text])
            before = text
        self._drop_done()

    def step(self) -> bool:
        """Draw one token for each; whether any is done."""
        if not self._texts:
            return True
        self._make_room(0, max(text.length for text in self._texts))
        tokens = np.array([[text.tokens[-1]] for text in self._texts])
        starts = np.array([text.length - 1 for text in self._texts])
        self._take(self._model.logits(tokens, starts, self._cache), self._texts)
        return self._drop_done()

    def _read(self, prompt: tuple[int, ...], slot: int) -> Array:
        return self._model.logits(np.array([prompt]), np.array([0]), self._cache, slot)

    def _take(self, logits: Array, texts: Sequence[Text]) -> None:
        for sampling in {text.sampling for text in texts}:
            rows = [row for row, text in enumerate(texts) if text.sampling == sampling]
            likely = logits[rows]
            if sampling.repetition_penalty != 1:
                seen = [(*texts[row].prompt, *texts[row].tokens) for row in rows]
                likely = penalised(likely, sampling.repetition_penalty, seen)
            chances = [texts[row].chance.random() for row in rows]
            for row, token in zip(rows, drawn(likely, sampling, chances), strict=True):
                self._append(texts[row], int(token))

    def _append(self, text: Text, token: int) -> None:
        if token in self._model.shape.end:
            text.is_done = True
            return
        text.tokens.append(token)
        text.is_cut = len(text.tokens) >= text.limit or text.length >= self._model.shape.context
        text.is_done = text.is_cut

    def _drop_done(self) -> bool:
        """Let the last text take the slot of one that is done."""
        count = len(self._texts)
        for slot in reversed(range(count)):
            if self._texts[slot].is_done:
                last = self._texts.pop()
                if slot < len(self._texts):
                    self._texts[slot] = last
                    self._cache.copy(len(self._texts), slot, last.length)
        if not self._texts:
            # a long prompt's memory is not kept
            self._cache = Cache(self._model.shape, 0, 0)
        return len(self._texts) < count

    def _make_room(self, texts: int, length: int) -> None:
        slots = len(self._texts) + texts
        if slots > self._cache.slots or length > self._cache.length:
            longer = length if length <= self._cache.length else length + _GROWTH
            self._cache = self._cache.grown(self._model.shape, slots, longer)


def _are_done(texts: Sequence[Text]) -> bool:
    return all(text.is_done for text in texts)

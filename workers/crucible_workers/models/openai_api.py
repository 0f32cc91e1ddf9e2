"""vLLM, llama.cpp, LM Studio and everything else that speaks OpenAI's dialect.

Samples are asked for whole: one sample's text is short, and whole answers carry `usage` and all
n choices in one shape everywhere. `n` is asked for natively and never trusted: missing choices
are drawn singly with the seeds they would have had, and n equal texts are drawn again. Only an
answer that a person waits for is streamed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import TypeVar

from crucible_infra import log
from crucible_infra.errors import BrokenStream, ModelError, RequestRefused, ServerTimeout
from crucible_tasks.answering import Piece
from crucible_tasks.completion import Completion
from crucible_tasks.generation import ModelIdentity, Prompt
from crucible_tasks.sampling import Sampling
from crucible_workers.models.http import HttpClient
from crucible_workers.models.interface import Ended, Model, SampleRequest, Streaming
from crucible_workers.models.openai_tokens import ServerTokenizer
from crucible_workers.models.openai_wire import (
    STREAM_OPTIONS,
    Answer,
    Choice,
    Chunk,
    Dialect,
    Usage,
    neutral_extensions,
)
from crucible_workers.models.sampled import Sampled, completion_of, finish_of
from crucible_workers.models.sse import DONE
from crucible_workers.models.streamed import begun, said

T = TypeVar("T")

#: below this temperature equal texts are what a model with a clear opinion gives
_VARIED_TEMPERATURE = 0.3

#: fewer than this many equal texts are nothing strange
_SUSPICIOUS_TEXTS = 4


class OpenAiModel(Model):
    """One model of an OpenAI-compatible server."""

    def __init__(
        self,
        http: HttpClient,
        identity: ModelIdentity,
        dialect: Dialect,
        tokenizer: ServerTokenizer,
    ) -> None:
        self._http = http
        self._identity = identity
        self._tokenizer = tokenizer
        #: replaced as a whole, so threads see one state or the other
        self._dialect = dialect

    def identity(self) -> ModelIdentity:
        """Which model answers, as far as the server tells."""
        return self._identity

    @property
    def samples_per_call(self) -> int:
        """As many as the server was seen to honour."""
        return self._dialect.n_limit

    def sample(self, request: SampleRequest) -> tuple[Completion, ...]:
        """One request per run of neighbouring indices: their seeds are neighbours too."""
        found: dict[int, Completion] = {}
        for run in _neighbours(request.indices, self._dialect.n_limit):
            found |= {c.index: c for c in self._sample_run(request, run)}
        return tuple(found[index] for index in request.indices)

    def stream(self, prompt: Prompt, sampling: Sampling, seed: int) -> Streaming:
        """One answer, event by event."""
        deadline = self._http.patience.deadline(sampling.max_tokens)

        def ask() -> Streaming:
            events = self._events(prompt, sampling, seed, deadline)
            return begun(said(events, self._identity.name, self._identity.context_tokens))

        yield from self._http.persist(lambda: self._worded(ask, sampling), deadline)

    @property
    def is_on_gpus_here(self) -> bool:
        """Where the server is this host's; of another's GPUs nothing is known."""
        return self._http.is_here

    def count(self, prompt: Prompt) -> int | None:
        """As the server's own tokenizer has them."""
        return self._tokenizer.count(prompt)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _events(self, prompt: Prompt, sampling: Sampling, seed: int, deadline: float) -> Streaming:
        body = self._dialect.streamed_body(self._identity.name, prompt, sampling, seed)
        reason: str | None = None
        usage = Usage()
        with closing(self._http.events(_path(prompt), body, deadline)) as events:
            for data in events:
                if data == DONE:
                    break
                chunk = self._http.decode(data, Chunk)
                if chunk.fault is not None:
                    raise self._http.faults.of_payload(chunk.fault)
                usage = chunk.usage or usage
                for choice in (chunk.choices or ())[:1]:
                    if choice.thought:
                        yield Piece(choice.thought, is_reasoning=True)
                    if choice.said:
                        yield Piece(choice.said)
                    reason = choice.finish_reason or reason
        if reason is None:
            raise BrokenStream(f"{self._http.url} stopped answering without a finish reason")
        yield Ended(finish_of(reason), usage.prompt_tokens, usage.completion_tokens)

    def _sample_run(self, request: SampleRequest, run: range) -> list[Completion]:
        if len(run) == 1 or self._dialect.n_limit == 1:
            return self._singly(request, run)
        deadline = self._deadline(request)
        try:
            together, seconds = self._http.persist(
                lambda: self._timed(request, run, deadline), deadline
            )
        except RequestRefused:
            # some servers refuse n > 1; if it was something else, the single says so again
            return self._relearn(self._singly(request, run))
        except ServerTimeout:
            self._learn(n_limit=1)
            raise
        real = {sampled.index: sampled for sampled in together if sampled.is_the_models}
        if len(together) < len(run):
            log.info("n_not_honoured", model=self._identity.name, n=len(run), got=len(together))
            self._learn(n_limit=max(1, len(together)))
        elif self._is_suspicious(request, together):
            return self._again(request, run, together)
        # they were drawn at once, so each took its share of the time
        each = seconds / max(1, len(together))
        kept = [completion_of(sampled, request, each, None) for sampled in real.values()]
        missing = [index for index in run if index not in real]
        return kept + self._singly(request, missing)

    def _singly(self, request: SampleRequest, indices: range | list[int]) -> list[Completion]:
        return [self._single(request, index) for index in indices]

    def _single(self, request: SampleRequest, index: int) -> Completion:
        deadline = self._deadline(request)

        def ask() -> Completion:
            started = time.monotonic()
            (sampled,) = self._ask(request, range(index, index + 1), deadline)
            seconds = time.monotonic() - started
            return completion_of(sampled, request, seconds, self._identity.context_tokens)

        return self._http.persist(ask, deadline)

    def _timed(
        self, request: SampleRequest, run: range, deadline: float
    ) -> tuple[list[Sampled], float]:
        started = time.monotonic()
        found = self._ask(request, run, deadline)
        return found, time.monotonic() - started

    def _ask(self, request: SampleRequest, run: range, deadline: float) -> list[Sampled]:
        """One request; between none and as many samples as asked for."""
        answer = self._exchange(request, run, deadline)
        if answer.fault is not None:
            raise self._http.faults.of_payload(answer.fault)
        choices = (answer.choices or ())[: len(run)]
        if not choices:
            choices = (Choice(),)
        usage = answer.usage if len(run) == 1 else None
        prompt_tokens = answer.usage.prompt_tokens if answer.usage else None
        return [
            Sampled(
                index=run[offset],
                text=choice.answer,
                finish=finish_of(choice.finish_reason),
                prompt_tokens=prompt_tokens,
                completion_tokens=usage.completion_tokens if usage else None,
                token_share=_share(answer.usage, len(choices), place),
                has_reasoning=choice.has_reasoning,
            )
            for place, (offset, choice) in enumerate(
                zip(_offsets(choices, len(run)), choices, strict=True)
            )
        ]

    def _exchange(self, request: SampleRequest, run: range, deadline: float) -> Answer:
        prompt, seed = request.prompt, request.seed(run.start)

        def ask() -> Answer:
            name = self._identity.name
            body = self._dialect.body(name, prompt, request.sampling, seed, len(run))
            return self._http.post(_path(prompt), body, Answer, deadline)

        return self._worded(ask, request.sampling)

    def _worded(self, ask: Callable[[], T], sampling: Sampling) -> T:
        """Ask, and ask in other words as long as the server complains about one of them."""
        while True:
            try:
                return ask()
            except RequestRefused as error:
                if not self._reword(sampling, error):
                    raise

    def _reword(self, sampling: Sampling, error: ModelError) -> bool:
        dialect = self._dialect
        if dialect.limit_field == "max_tokens" and "max_completion_tokens" in error.message:
            self._learn(limit_field="max_completion_tokens")
            return True
        named = {
            name
            for name in (neutral_extensions(sampling) | {STREAM_OPTIONS}) - dialect.unknown
            if re.search(rf"\b{name}\b", error.message)
        }
        self._learn(unknown=dialect.unknown | named)
        return bool(named)

    def _again(
        self, request: SampleRequest, run: range, together: list[Sampled]
    ) -> list[Completion]:
        """Equal texts: either the server used one seed for all, or the model means it."""
        log.info("equal_samples_drawn_again", model=self._identity.name, task=request.task_id)
        alone = self._singly(request, run)
        if any(completion.text != together[0].text for completion in alone):
            self._learn(n_limit=1)
        return alone

    def _is_suspicious(self, request: SampleRequest, together: list[Sampled]) -> bool:
        is_varied = request.sampling.temperature >= _VARIED_TEMPERATURE
        if len({sampled.text for sampled in together}) > 1:
            self._learn(is_n_proven=self._dialect.is_n_proven or is_varied)
            return False
        return is_varied and len(together) >= _SUSPICIOUS_TEXTS and not self._dialect.is_n_proven

    def _relearn(self, alone: list[Completion]) -> list[Completion]:
        self._learn(n_limit=1)
        return alone

    def _learn(self, **facts: object) -> None:
        self._dialect = replace(self._dialect, **facts)  # type: ignore[arg-type]

    def _deadline(self, request: SampleRequest) -> float:
        return self._http.patience.deadline(request.sampling.max_tokens)


def _path(prompt: Prompt) -> str:
    return "/completions" if prompt.text is not None else "/chat/completions"


def _share(usage: Usage | None, choices: int, place: int) -> int | None:
    """The tokens of one of several choices, so that all shares add up to what was counted."""
    if usage is None or usage.completion_tokens is None:
        return None
    whole, rest = divmod(usage.completion_tokens, choices)
    return whole + (place < rest)


def _neighbours(indices: tuple[int, ...], limit: int) -> Iterator[range]:
    """Runs of consecutive indices, none longer than the limit."""
    ordered = sorted(set(indices))
    while ordered:
        start = ordered[0]
        length = 1
        while length < min(limit, len(ordered)) and ordered[length] == start + length:
            length += 1
        yield range(start, start + length)
        ordered = ordered[length:]


def _offsets(choices: tuple[Choice, ...], n: int) -> list[int]:
    """Which sample each choice is: by its own index where those make sense, else by position."""
    named = [choice.index for choice in choices]
    if len(set(named)) == len(named) and all(i is not None and 0 <= i < n for i in named):
        return [i for i in named if i is not None]
    return list(range(len(choices)))

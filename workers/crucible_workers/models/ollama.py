"""Ollama by its own API: raw prompts, pinned context, every option sent, weights by digest.

Its OpenAI-compatible routes are not used: they apply the chat template to raw prompts, drop `n`
silently and cannot set the context, so that long prompts lose their middle without a word.
"""

from __future__ import annotations

import time
from contextlib import closing
from difflib import get_close_matches

from crucible_infra.errors import BrokenStream, ModelNotFound, RequestRefused
from crucible_tasks.answering import Piece
from crucible_tasks.completion import Completion, Finish
from crucible_tasks.generation import ModelIdentity, Prompt
from crucible_tasks.model_spec import ModelSpec
from crucible_tasks.sampling import Sampling
from crucible_workers.models import style
from crucible_workers.models.fingerprint import digest_of, sha256
from crucible_workers.models.http import HttpClient
from crucible_workers.models.interface import Ended, Model, SampleRequest, Streaming
from crucible_workers.models.ollama_wire import Description, Line, Tag, Tags, Version, body_of
from crucible_workers.models.patience import Patience
from crucible_workers.models.sampled import completion_of, finish_of
from crucible_workers.models.streamed import begun, gathered, said

_START_HINT = "start it there (`ollama serve`), or set OLLAMA_HOST to where it listens"


class OllamaModel(Model):
    """One model of an Ollama server. Its samples are drawn one by one: `n` does not exist."""

    def __init__(
        self, http: HttpClient, tag: Tag, described: Description, identity: ModelIdentity
    ) -> None:
        self._http = http
        self._tag = tag
        self._described = described
        self._identity = identity

    def identity(self) -> ModelIdentity:
        """Which weights answer."""
        return self._identity

    def sample(self, request: SampleRequest) -> tuple[Completion, ...]:
        """One exchange per index, with the index' own seed."""
        return tuple(self._sample_one(request, index) for index in request.indices)

    def stream(self, prompt: Prompt, sampling: Sampling, seed: int) -> Streaming:
        """One answer, line by line."""
        deadline = self._http.patience.deadline(sampling.max_tokens)
        window = self._window(sampling)

        def ask() -> Streaming:
            events = self._events(prompt, sampling, seed, deadline)
            return begun(said(events, self._tag.name, window))

        yield from self._http.persist(ask, deadline)

    @property
    def is_on_gpus_here(self) -> bool:
        """Where the server is this host's; of another's GPUs nothing is known."""
        return self._http.is_here

    def close(self) -> None:
        """Close the connections; the server keeps the model loaded for a while."""
        self._http.close()

    def _sample_one(self, request: SampleRequest, index: int) -> Completion:
        deadline = self._http.patience.deadline(request.sampling.max_tokens)
        return self._http.persist(lambda: self._ask(request, index, deadline), deadline)

    def _ask(self, request: SampleRequest, index: int, deadline: float) -> Completion:
        seed, sampling = request.seed(index), request.sampling
        started = time.monotonic()
        sampled = gathered(self._events(request.prompt, sampling, seed, deadline), index)
        seconds = time.monotonic() - started
        return completion_of(sampled, request, seconds, self._window(sampling))

    def _events(self, prompt: Prompt, sampling: Sampling, seed: int, deadline: float) -> Streaming:
        body = body_of(self._tag.name, prompt, sampling, seed, self._described)
        path = "/api/generate" if prompt.text is not None else "/api/chat"
        last: Line | None = None
        with closing(self._http.lines(path, body, deadline)) as lines:
            for data in lines:
                line = self._http.decode(data, Line)
                if line.error is not None:
                    raise self._http.faults.of_payload(line.error)
                if line.reasoning:
                    yield Piece(line.reasoning, is_reasoning=True)
                if line.text:
                    yield Piece(line.text)
                last = line if line.done else last
        if last is None:
            raise BrokenStream(f"{self._http.url} stopped answering before it was done")
        # servers before 0.1.40 give no reason
        finish = Finish.STOP if last.done_reason is None else finish_of(last.done_reason)
        yield Ended(finish, last.prompt_eval_count, last.eval_count)

    def _window(self, sampling: Sampling) -> int:
        trained = self._identity.context_tokens or sampling.context_tokens
        return min(trained, sampling.context_tokens)


def open_ollama(spec: ModelSpec, url: str, patience: Patience) -> OllamaModel:
    """Find the model on the server at this URL and describe it; see `Model` for what it raises."""
    http = HttpClient(url, patience, start_hint=_START_HINT)
    try:
        tag = _find(http, spec.name)
        described = _describe(http, tag)
        version = http.get("/api/version", Version).version
        return OllamaModel(http, tag, described, _identity(spec, tag, described, version))
    except BaseException:
        http.close()
        raise


def _find(http: HttpClient, name: str) -> Tag:
    tags = http.get("/api/tags", Tags).models or ()
    tag = next((tag for tag in tags if tag.is_called(name)), None)
    if tag is None:
        names = sorted(tag.name for tag in tags)
        close = get_close_matches(name, names, n=3, cutoff=0.4) or names[:5]
        has = f"it has {', '.join(close)}" if close else "it has none yet"
        hint = f"`ollama pull {name}`; {has}"
        raise ModelNotFound(f"the Ollama at {http.url} has no model {name!r}", hint=hint)
    if tag.is_remote:
        hint = "choose a model whose weights are on this host; nothing is known about a remote one"
        host = tag.remote_host or "the cloud"
        raise RequestRefused(f"{tag.name} is not local: it runs on {host}", hint=hint)
    return tag


def _describe(http: HttpClient, tag: Tag) -> Description:
    described = http.describe("/api/show", {"model": tag.name}, Description)
    if described.capabilities is not None and "completion" not in described.capabilities:
        raise RequestRefused(f"{tag.name} cannot complete text", hint="choose a language model")
    return described


def _identity(spec: ModelSpec, tag: Tag, described: Description, version: str) -> ModelIdentity:
    details = described.details or tag.details
    server = f"ollama {version}"
    facts = {
        "server": server,
        "weights": tag.digest,
        "template": sha256(described.template),
        "parameters": sha256(described.parameters),
        "system": sha256(described.system),
    }
    shown = {
        "family": details.family if details else None,
        "parameters": details.parameter_size if details else None,
        "format": details.format if details else None,
    }
    by_server = style.of_ollama(described.template, described.modelfile)
    return ModelIdentity(
        spec=str(spec),
        name=tag.name,
        server=server,
        digest=digest_of(facts),
        style=style.of_spec_or_name(spec.style, tag.name) or by_server,
        context_tokens=described.context_tokens,
        quantization=details.quantization_level if details else None,
        details=facts | {name: value for name, value in shown.items() if value},
    )

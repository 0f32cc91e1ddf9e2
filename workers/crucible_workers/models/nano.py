"""Nano: the built-in toy model, or other weights of its kind, sampled in this process."""

from __future__ import annotations

import time
from pathlib import Path

from crucible_infra.errors import ContextOverflow, InvalidModelSpec, RequestRefused
from crucible_tasks.answering import Piece
from crucible_tasks.completion import Completion, Finish, Form
from crucible_tasks.generation import ModelIdentity, Prompt
from crucible_tasks.sampling import Sampling
from crucible_workers import nano, weight_files
from crucible_workers.models import style
from crucible_workers.models.fingerprint import digest_of, sha256
from crucible_workers.models.interface import Ended, Model, SampleRequest, Streaming
from crucible_workers.nano.low_rank import WEIGHTS
from crucible_workers.nano.sampler import LARGEST_BATCH, Sampler, Text

#: tokens of an answer; the longest function it was taught has some 100, and what goes on for
#: longer repeats itself
LONGEST_ANSWER = 256


class NanoModel(Model):
    """Samples with numpy; answers of all threads share a batch."""

    def __init__(self, sampler: Sampler, identity: ModelIdentity) -> None:
        self._sampler: Sampler | None = sampler
        self._identity = identity

    def identity(self) -> ModelIdentity:
        """The weights, by their bytes."""
        return self._identity

    @property
    def samples_per_call(self) -> int:
        """As many as one batch holds."""
        return LARGEST_BATCH

    def sample(self, request: SampleRequest) -> tuple[Completion, ...]:
        """Continuations; ContextOverflow, and RequestRefused for chats and once it is closed."""
        sampler = self._sampler
        if sampler is None:
            raise RequestRefused(f"{self._identity.spec} was closed")
        if request.prompt.text is None:
            hint = "leave ?style=chat and --style chat out"
            raise RequestRefused(f"{self._identity.spec} continues code and cannot chat", hint=hint)
        started = time.monotonic()
        prompt = sampler.tokenizer.encode(request.prompt.text)
        if len(prompt) >= sampler.model.shape.context:
            raise ContextOverflow(
                f"{request.task_id}: a prompt of {len(prompt)} tokens does not fit into "
                f"{sampler.model.shape.context}"
            )
        seeds = [request.seed(index) for index in request.indices]
        limit = min(request.sampling.max_tokens, LONGEST_ANSWER)
        texts = sampler.sample(prompt, request.sampling, seeds, limit)
        seconds = round((time.monotonic() - started) / len(texts), 3)
        return tuple(
            _completion(request, index, text, sampler.tokenizer.decode(text.tokens), seconds)
            for index, text in zip(request.indices, texts, strict=True)
        )

    def stream(self, prompt: Prompt, sampling: Sampling, seed: int) -> Streaming:
        """The continuation in one piece: it takes no longer than people notice."""
        request = SampleRequest(
            self._identity.name, prompt, sampling, seed - 1, (0,), Form.CONTINUATION
        )
        (completion,) = self.sample(request)
        if completion.text:
            yield Piece(completion.text)
        yield Ended(completion.finish, completion.prompt_tokens, completion.completion_tokens)

    def count(self, prompt: Prompt) -> int | None:
        """As its tokenizer has them."""
        if self._sampler is None or prompt.text is None:
            return None
        return len(self._sampler.tokenizer.encode(prompt.text))

    def close(self) -> None:
        """Let go of the weights."""
        self._sampler = None


def open_nano(name: str, adapter: str | None = None) -> NanoModel:
    """Read the built-in weights, or those of a directory, and an adapter's.

    Raises InvalidModelSpec when there is no such directory, FormatError for weights of another
    kind, StorageError for an adapter that cannot be fetched.
    """
    directory = Path(name).expanduser().absolute() if name else nano.weights_directory()
    if not directory.is_dir():
        hint = "nano:DIRECTORY wants weights as transformers saves them; nano alone is built in"
        raise InvalidModelSpec(f"{directory} is no directory", hint=hint)
    trained = None if adapter is None else weight_files.locate(adapter)
    sampler = nano.load(directory, trained)
    shape = sampler.model.shape
    weights, tokenizer = directory / "model.safetensors", directory / "tokenizer.json"
    parts = {"weights": sha256(weights.read_bytes()), "tokenizer": sha256(tokenizer.read_bytes())}
    if trained is not None:
        parts["adapter"] = sha256((trained / WEIGHTS).read_bytes())
    place = f":{directory}" if name else ""
    identity = ModelIdentity(
        spec=f"nano{place}" + (f"+{weight_files.full_name(adapter)}" if adapter else ""),
        name=directory.name if name else "nano",
        server="built in",
        digest=digest_of(parts),
        style=style.BASE,
        context_tokens=shape.context,
        caution=shape.caution,
        details={"weights": parts["weights"], "longest_answer": f"{LONGEST_ANSWER} tokens"},
    )
    return NanoModel(sampler, identity)


def _completion(
    request: SampleRequest, index: int, text: Text, said: str, seconds: float
) -> Completion:
    return Completion(
        index=index,
        form=request.form,
        text=said,
        seed=request.seed(index),
        finish=Finish.LENGTH if text.is_cut else Finish.STOP,
        prompt_tokens=len(text.prompt),
        # the token that ends an answer is counted, as servers do
        completion_tokens=len(text.tokens) + (not text.is_cut),
        seconds=seconds,
    )

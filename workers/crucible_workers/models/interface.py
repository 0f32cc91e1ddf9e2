"""Model: what every model client offers, and exactly what it may raise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass

from crucible_infra.errors import RequestRefused
from crucible_tasks.answering import Piece
from crucible_tasks.completion import Completion, Finish, Form
from crucible_tasks.generation import ModelIdentity, Prompt
from crucible_tasks.sampling import Sampling


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """The samples with these indices of one challenge."""

    task_id: str
    prompt: Prompt
    #: sent in full, option by option: a server's defaults differ by server and model
    sampling: Sampling
    seed_base: int
    indices: tuple[int, ...]
    #: how the text of a sampled completion becomes a program; recordings know their own
    form: Form

    def seed(self, index: int) -> int:
        """The seed of one sample: the same whether it is drawn alone or among n."""
        return self.seed_base + 1 + index


@dataclass(frozen=True, slots=True)
class Ended:
    """How a streamed answer ended."""

    finish: Finish
    #: None where the server does not count
    prompt_tokens: int | None
    completion_tokens: int | None


#: pieces as they come, and one end
Streaming = Generator[Piece | Ended, None, None]


class Model(ABC):
    """One model that answers. Thread-safe: workers share it between threads.

    Opening and sampling raise
    - EndpointDown: nobody listens, or the server answers 5xx, after the retries; EndpointGone
      when it has answered nobody for `Patience.outage`
    - ServerTimeout: no byte for too long, or a sample took longer than its deadline
    - BrokenStream: the answer ended early or was not what the protocol says, after the retries
    - RateLimited: the server (429, or 503 while it loads) wants more time than we wait
    - QuotaExhausted, RequestRefused (bad key, bad option, a model that cannot do this),
      ModelNotFound
    Only opening raises
    - InvalidInput: a spec or file that cannot be used
    - StorageError: `reference` cannot read its dataset, `hf` its artifact
    Only sampling and streaming raise
    - ContextOverflow: prompt and answer do not fit
    - EmptyCompletion: no text although the server reported success, twice
    Nothing else. A ModelError is never a wrong answer: it enters no score.
    """

    @abstractmethod
    def identity(self) -> ModelIdentity:
        """Which weights answer, as found when the model was opened."""

    @abstractmethod
    def sample(self, request: SampleRequest) -> tuple[Completion, ...]:
        """The asked completions in the order of the indices: all of them, or a ModelError.

        Sample i is drawn with seed `request.seed(i)`, whichever way it is asked for.
        """

    def stream(self, prompt: Prompt, sampling: Sampling, seed: int) -> Streaming:
        """One answer as the model says it, `Ended` last; closing it stops the server's work.

        Whatever fails before the first piece is tried again as a sample is, nothing after it.
        What only knows the challenges of a dataset refuses.
        """
        del prompt, sampling, seed
        hint = "choose a model that answers: `crucible models` lists them"
        raise RequestRefused(f"{self.identity().spec} answers challenges, not prompts", hint=hint)

    def count(self, prompt: Prompt) -> int | None:
        """The prompt's tokens as the model has them; None where nobody can be asked."""
        del prompt
        return None

    @abstractmethod
    def close(self) -> None:
        """Let go of connections and memory; closing twice is fine."""

    @property
    def samples_per_call(self) -> int:
        """How many indices one call of `sample` should carry; what it fetched is lost together."""
        return 1

    @property
    def is_on_gpus_here(self) -> bool:
        """Whether what GPUs of this host take meanwhile is its energy; see `energy`."""
        return False

"""Contracts: sample completions of one challenge; describe and list models."""

from __future__ import annotations

from dataclasses import dataclass

from crucible_infra import settings
from crucible_tasks import capability
from crucible_tasks.completion import Completion
from crucible_tasks.contract import Contract
from crucible_tasks.sampling import Sampling

#: of what every host can serve; `capability` says what else there is
QUEUE = capability.COMMON


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent to the model: raw text to continue, or a chat. Exactly one is set."""

    text: str | None = None
    messages: tuple[Message, ...] = ()
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """Ask for the completions of one challenge with these indices."""

    run_id: str
    #: digest of the dataset in the artifact store
    dataset: str
    task_id: str
    model: str
    prompt: Prompt
    sampling: Sampling
    #: see `sampling.seed_base`
    seed_base: int
    indices: tuple[int, ...]
    #: how often these were asked for before, sealed: see `tickets`
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Generation:
    """What a generation worker sampled; fewer than asked, with a reason, when the server failed."""

    run_id: str
    task_id: str
    completions: tuple[Completion, ...]
    failure: str | None = None
    #: False when asking again cannot help (unknown model, context overflow)
    is_transient: bool = True
    #: of the request, so that only those are asked for again, and no others are stored
    indices: tuple[int, ...] = ()
    #: of the request, as it was there: an answer counts only with it, and a failure counts once
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """Ask what a model spec stands for; None lists what answers on this host."""

    model: str | None
    #: the dataset `reference` answers from
    dataset: str | None = None


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which weights answered: as much as the server tells."""

    #: normalised spec, usable as `--model`
    spec: str
    name: str
    #: "ollama 0.5.1", "openai-compatible", "replay", "reference"
    server: str
    #: sha256 over everything known; two runs with equal digests asked the same model
    digest: str
    #: "chat" or "base": how prompts are made
    style: str
    context_tokens: int | None = None
    quantization: str | None = None
    #: what must be said wherever its scores are shown; a model with one is on no leaderboard
    caution: str | None = None
    #: anything else the server said, for the manifest
    details: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ModelReport:
    """The answer to a ModelRequest; `problem` is one line when nothing could be described."""

    models: tuple[ModelIdentity, ...]
    problem: str | None = None
    hint: str | None = None


def queue_of(model: str) -> str:
    """The queue in which work on the model of this spec waits."""
    return QUEUE if settings.current().is_embedded else capability.generation_queue(model)


def _generation_queue(request: GenerationRequest) -> str:
    return capability.generation_queue(request.model)


def _models_queue(request: ModelRequest) -> str:
    # any host may be asked what it has
    return QUEUE if request.model is None else capability.generation_queue(request.model)


GENERATION = Contract(
    "crucible.generate", QUEUE, GenerationRequest, Generation, route=_generation_queue
)
MODELS = Contract(
    "crucible.models", QUEUE, ModelRequest, ModelReport, keeps_result=True, route=_models_queue
)

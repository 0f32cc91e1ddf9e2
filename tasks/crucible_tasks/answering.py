"""Answering: one streamed answer to a conversation; whoever asks holds the model, nothing waits.

The everyday door talks to a model server from its own process, because a person looks at the first
word: no broker stands between, and neither Celery nor the database is loaded before it is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from crucible_infra.settings import current
from crucible_tasks.completion import Finish
from crucible_tasks.generation import Message, ModelIdentity
from crucible_tasks.model_names import spelled_out
from crucible_tasks.named_router import is_router
from crucible_tasks.sampling import Sampling

#: what answers, by name: the doors may not import the hands
_HANDS = "crucible_workers.answer"
_ROUTER_HANDS = "crucible_workers.router_answer"

#: the server of an identity that stands for several models, which may begin an answer anew
ROUTER = "router"


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """One conversation to be continued by one message of the model."""

    #: in order, a system message first where there is one; the last is the user's
    messages: tuple[Message, ...]
    sampling: Sampling
    #: of this answer, from 1 to 2**31 - 1
    seed: int
    #: whether an answer without code is of no use: it goes into a file, or is extracted
    wants_code: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text, as soon as the model said it."""

    text: str
    #: what a model thinks before it answers; never part of the answer
    is_reasoning: bool = False


@dataclass(frozen=True, slots=True)
class AnswerEnd:
    """How the answer ended; always the last event, and only of an answer that came whole."""

    #: who answered: the model asked, or the member of a router that was chosen
    model: ModelIdentity
    finish: Finish
    #: None where the server does not count
    prompt_tokens: int | None
    completion_tokens: int | None
    #: from the request to the first piece, and to the end
    first_piece_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Restarted:
    """What was streamed so far is void: another member of a router begins from nothing."""

    #: one line for the user: who answers now, and why
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """A model that answers on this host, found without being named."""

    spec: str
    name: str
    #: what people call its server
    server: str


AnswerEvent = Piece | Restarted | AnswerEnd


class Answerer(Protocol):
    """A model that is open, and answers. Raises what `Model` in the hands raises, nothing else."""

    def identity(self) -> ModelIdentity:
        """Who answers, as found when the model was opened."""

    def answer(self, request: AnswerRequest) -> Iterator[AnswerEvent]:
        """The answer, piece by piece; closing the iterator stops the server's work.

        Raises ContextOverflow before anything is sent, where it is known that prompt and answer
        do not fit.
        """

    def close(self) -> None:
        """Let go of connections and memory; closing twice is fine."""


def open_answerer(spec: str) -> Answerer:
    """Open the model or router of a spec, or of a configured name, in this process.

    Raises InvalidModelSpec, or the ModelErrors that opening a model raises.
    """
    meant = spelled_out(spec, current())
    hands = _ROUTER_HANDS if is_router(meant) else _HANDS
    answerer: Answerer = import_module(hands).open_answerer(meant)
    return answerer


def find_models() -> tuple[Found, ...]:
    """What answers on the usual ports of this host, asked from this process.

    Raises InvalidModelSpec when OLLAMA_HOST or OPENAI_BASE_URL is no URL.
    """
    found: tuple[Found, ...] = import_module(_HANDS).find_models()
    return found

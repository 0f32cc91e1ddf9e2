"""A completion: one sampled answer, its raw text kept for ever."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Form(StrEnum):
    """How a completion's text becomes a program."""

    #: HumanEval's `completion`: appended to the prompt, untouched
    COMPLETION = "completion"
    #: a base model's continuation of the prompt: appended, cut where the function ends
    CONTINUATION = "continuation"
    #: a whole program, untouched
    SOLUTION = "solution"
    #: raw chat text: the program is extracted
    RESPONSE = "response"


class Finish(StrEnum):
    """Why the model stopped."""

    STOP = "stop"
    LENGTH = "length"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Draw:
    """One member's answer on a router's way to a completion."""

    #: its place among the router's members
    member: int
    form: Form
    #: None where it became the completion and is its text
    text: str | None
    finish: Finish = Finish.STOP
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float | None = None
    #: what was seen of an answer that was turned down
    signals: tuple[str, ...] = ()
    joules: float | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """One sampled answer to one challenge."""

    #: from 0 within its challenge and run
    index: int
    form: Form
    text: str
    seed: int | None = None
    finish: Finish = Finish.STOP
    prompt_tokens: int | None = None
    #: of those drawn by one request, an equal share of what it took where nobody tells more
    completion_tokens: int | None = None
    seconds: float | None = None
    #: of a router, in the order they were drawn: tokens, seconds and joules are their sums
    draws: tuple[Draw, ...] = ()
    #: its share of what the GPUs of its host took; None where they are elsewhere or do not tell
    joules: float | None = None

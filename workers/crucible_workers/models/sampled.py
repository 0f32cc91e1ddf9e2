"""Sampled text: when an answer without text is the model's doing, and when the server's."""

from __future__ import annotations

from dataclasses import dataclass

from crucible_infra.errors import ContextOverflow, EmptyCompletion
from crucible_tasks.completion import Completion, Finish
from crucible_workers.models.interface import SampleRequest


@dataclass(frozen=True, slots=True)
class Sampled:
    """What a server sent for one sample."""

    index: int
    text: str
    finish: Finish
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    #: whether it thought before it answered; those tokens count towards the limit
    has_reasoning: bool = False

    @property
    def is_the_models(self) -> bool:
        """Whether the text, even an empty one, is what the model said.

        A model may end at once (the end token is counted) or think until its tokens run out.
        Success without a counted token is a server that could not load or fit something.
        """
        if self.text:
            return True
        return bool(self.completion_tokens) and (self.finish is Finish.STOP or self.has_reasoning)


def completion_of(
    sampled: Sampled, request: SampleRequest, seconds: float | None, context_tokens: int | None
) -> Completion:
    """The completion, or EmptyCompletion or ContextOverflow when nothing was really sampled."""
    check_said(sampled, f"{request.task_id} sample {sampled.index}", context_tokens)
    return Completion(
        index=sampled.index,
        form=request.form,
        text=sampled.text,
        seed=request.seed(sampled.index),
        finish=sampled.finish,
        prompt_tokens=sampled.prompt_tokens,
        completion_tokens=sampled.completion_tokens,
        seconds=None if seconds is None else round(seconds, 3),
    )


def check_said(sampled: Sampled, place: str, context_tokens: int | None) -> None:
    """Raise EmptyCompletion or ContextOverflow when nothing was really sampled."""
    if sampled.is_the_models:
        return
    if context_tokens and (sampled.prompt_tokens or 0) >= context_tokens:
        raise ContextOverflow(
            f"{place}: a prompt of {sampled.prompt_tokens} tokens fills the context of "
            f"{context_tokens}",
            hint="load the model with a larger context",
        )
    raise EmptyCompletion(
        f"{place}: the server reported success without any text",
        hint="look into the server's log; often the context it loaded is too small",
    )


def finish_of(reason: str | None) -> Finish:
    """The reason a server gives, in our words."""
    match reason:
        case "stop":
            return Finish.STOP
        case "length":
            return Finish.LENGTH
        case _:
            return Finish.OTHER

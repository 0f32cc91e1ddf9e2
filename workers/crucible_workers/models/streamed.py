"""Streamed answers: begun before they are handed on, and really the model's own."""

from __future__ import annotations

from contextlib import closing

from crucible_tasks.answering import Piece
from crucible_tasks.completion import Finish
from crucible_workers.models.interface import Ended, Streaming
from crucible_workers.models.sampled import Sampled, check_said


def begun(events: Streaming) -> Streaming:
    """The same events once the first has come: what fails until then fails here."""
    first = next(events)
    return _from(first, events)


def said(events: Streaming, place: str, context_tokens: int | None) -> Streaming:
    """The same events; ends in EmptyCompletion or ContextOverflow where nothing was said."""
    text, has_reasoning = "", False
    with closing(events):
        for event in events:
            if isinstance(event, Ended):
                check_said(
                    sampled(0, text, event, has_reasoning=has_reasoning), place, context_tokens
                )
            elif event.is_reasoning:
                has_reasoning = True
            else:
                # whether there is any
                text = text or event.text
            yield event


def gathered(events: Streaming, index: int) -> Sampled:
    """The whole answer as one sample."""
    pieces: list[str] = []
    has_reasoning = False
    # a stream that ends without saying so has raised BrokenStream
    end = Ended(Finish.OTHER, None, None)
    with closing(events):
        for event in events:
            if isinstance(event, Ended):
                end = event
            elif event.is_reasoning:
                has_reasoning = True
            else:
                pieces.append(event.text)
    return sampled(index, "".join(pieces), end, has_reasoning=has_reasoning)


def sampled(index: int, text: str, end: Ended, *, has_reasoning: bool) -> Sampled:
    """A text and how it ended."""
    return Sampled(
        index=index,
        text=text,
        finish=end.finish,
        prompt_tokens=end.prompt_tokens,
        completion_tokens=end.completion_tokens,
        has_reasoning=has_reasoning,
    )


def _from(first: Piece | Ended, events: Streaming) -> Streaming:
    with closing(events):
        yield first
        yield from events

"""What is told about an answer beside the answer itself."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from crucible_api.cli.asking_options import Asking
from crucible_api.cli.harmless import harmless
from crucible_api.cli.output import Voice
from crucible_api.cli.registered_names import with_names
from crucible_tasks.completion import Finish

if TYPE_CHECKING:
    from crucible_api.cli.told_answer import ToldAnswer
    from crucible_tasks.answering import AnswerEnd, AnswerRequest


def tell(voice: Voice, asking: Asking, request: AnswerRequest, told: ToldAnswer) -> None:
    """Say on stderr what the user should know about the answer."""
    assert told.end is not None
    if told.end.finish is Finish.LENGTH:
        voice.warn("the answer was cut off at its limit; --max-tokens raises it")
    is_plain = not (asking.wants_code or voice.is_json or sys.stdout.isatty())
    if is_plain and _has_prose_around_code(told.text):
        voice.talk("the answer has prose around its code; -x prints the code only")
    if asking.shows_usage:
        voice.announce(with_names(usage(told.end, request.seed)))


def usage(end: AnswerEnd, seed: int) -> str:
    """Tokens, seconds and seed on one line."""
    sent = "?" if end.prompt_tokens is None else end.prompt_tokens
    got = "?" if end.completion_tokens is None else end.completion_tokens
    return (
        f"{sent} tokens in, {got} out; first after {end.first_piece_seconds:.2f} s, "
        f"all after {end.seconds:.2f} s; seed {seed}; {end.model.spec}"
    )


def show(text: str) -> None:
    """Print what a model said: as it is, or harmless on a terminal."""
    if sys.stdout is not None:
        shown = harmless(text) if sys.stdout.isatty() else text
        sys.stdout.write(shown if shown.endswith("\n") else f"{shown}\n")


def plain(
    request: AnswerRequest, told: ToldAnswer, code: str | None, conversation_id: str | None
) -> dict[str, object]:
    """An answer as programs read it."""
    end = told.end
    assert end is not None
    return {
        "conversation": conversation_id,
        "answer": told.text,
        "code": code,
        "reasoning": told.reasoning or None,
        "model": end.model.spec,
        "server": end.model.server,
        "digest": end.model.digest,
        "seed": request.seed,
        "finish": str(end.finish),
        "prompt_tokens": end.prompt_tokens,
        "completion_tokens": end.completion_tokens,
        "first_piece_seconds": end.first_piece_seconds,
        "seconds": end.seconds,
    }


def _has_prose_around_code(text: str) -> bool:
    if "```" not in text:
        return False
    from crucible_tasks.extraction.fences import read_blocks

    blocks = read_blocks(text)
    if len(blocks) != 1:
        return False
    return bool((text[: blocks[0].start] + text[blocks[0].end :]).strip())

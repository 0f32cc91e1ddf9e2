"""Visible signals: what a user sees is wrong with an answer, told by its text alone.

What an answer is seen against is a challenge without its tests and its reference, so that nothing
here can depend on them. The program is found by the same extraction that grading uses: an answer
that grading can read is not turned down, and none is kept that grading could not read.
JavaScript is only scanned, so its syntax errors are not seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from crucible_tasks.challenge import Challenge, Language, ScriptTests
from crucible_tasks.completion import Completion, Finish
from crucible_tasks.evaluation import Extraction
from crucible_tasks.extraction import extract
from crucible_tasks.extraction.parsing import Parser
from crucible_tasks.router import Signal

#: how an extraction calls a program that was taken as it stood
_VERBATIM = "verbatim"

_UNPARSED = "unparsed"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the text of an answer tells."""

    signals: frozenset[Signal]
    #: None when there is no code
    program: str | None


def visible(challenge: Challenge) -> Challenge:
    """The challenge as whoever answers it sees it."""
    return replace(challenge, tests=ScriptTests(""), reference=None)


def see(completion: Completion, challenge: Challenge) -> Seen:
    """What the answer to a visible challenge tells."""
    found = extract(completion.text, completion.form, challenge, completion.finish)
    signals = set()
    if completion.finish is Finish.LENGTH:
        signals.add(Signal.TRUNCATED)
    if found.program is None or not found.program.strip():
        signals.add(Signal.NO_CODE)
    elif _is_broken(found, challenge, completion.finish):
        signals.add(Signal.SYNTAX_ERROR)
    return Seen(frozenset(signals), found.program)


def _is_broken(found: Extraction, challenge: Challenge, finish: Finish) -> bool:
    if found.method == _VERBATIM and challenge.language is Language.PYTHON:
        return Parser().parse(found.program or "").tree is None
    # what the token limit cut in the middle has a signal of its own
    return found.method == _UNPARSED or (found.is_trimmed and finish is not Finish.LENGTH)

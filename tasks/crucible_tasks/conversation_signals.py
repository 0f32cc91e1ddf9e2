"""Conversation signals: what a user sees is wrong with an answer to whatever they asked.

A conversation has no challenge: whether code was wanted is not known, so an answer without any is
no worse for it, unless it says nothing at all. What claims to be Python must parse. Nothing is run
here, so examples are not looked at.
"""

from __future__ import annotations

from crucible_tasks.completion import Finish
from crucible_tasks.extraction.answer_text import answer
from crucible_tasks.extraction.fences import Block, read_blocks
from crucible_tasks.extraction.parsing import Parser
from crucible_tasks.router import Signal

_PYTHON = ("python", "py", "python3")


def conversation_signals(reply: str, finish: Finish) -> frozenset[Signal]:
    """What this answer shows."""
    said = answer(reply)
    signals = set()
    if finish is Finish.LENGTH:
        signals.add(Signal.TRUNCATED)
    if not said.strip():
        signals.add(Signal.NO_CODE)
    parser = Parser()
    blocks = [block for block in read_blocks(said) if block.language in _PYTHON]
    if any(not _parses(block, parser) for block in blocks):
        signals.add(Signal.SYNTAX_ERROR)
    return frozenset(signals)


def _parses(block: Block, parser: Parser) -> bool:
    # a session with an interpreter is shown, not run; an answer cut short says so itself
    if block.content.lstrip().startswith(">>>") or not block.is_closed:
        return True
    return parser.parse(block.content).tree is not None

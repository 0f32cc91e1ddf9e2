"""Conversation signals: what a user sees is wrong with an answer to whatever they asked.

A conversation has no challenge. Unless code is wanted for a file, an answer without any is no worse
for it, but one that says nothing at all is. What claims to be Python must parse. Nothing is run
here, so examples are not looked at.
"""

from __future__ import annotations

from crucible_tasks.completion import Finish
from crucible_tasks.extraction.answer_text import answer
from crucible_tasks.extraction.candidate import is_prose
from crucible_tasks.extraction.fences import Block, read_blocks
from crucible_tasks.extraction.parsing import Parser
from crucible_tasks.router import Signal

_PYTHON = ("python", "py", "python3")


def conversation_signals(
    reply: str, finish: Finish, *, wants_code: bool = False
) -> frozenset[Signal]:
    """What this answer shows."""
    said = answer(reply)
    signals = set()
    if finish is Finish.LENGTH:
        signals.add(Signal.TRUNCATED)
    parser = Parser()
    blocks = read_blocks(said)
    if not said.strip() or (wants_code and not blocks and not _is_program(said, parser)):
        signals.add(Signal.NO_CODE)
    if any(block.language in _PYTHON and not _parses(block, parser) for block in blocks):
        signals.add(Signal.SYNTAX_ERROR)
    return frozenset(signals)


def _parses(block: Block, parser: Parser) -> bool:
    # a session with an interpreter is shown, not run; an answer cut short says so itself
    if block.content.lstrip().startswith(">>>") or not block.is_closed:
        return True
    return parser.parse(block.content).tree is not None


def _is_program(text: str, parser: Parser) -> bool:
    """Whether a text without a fence is code all the same, as far as Python can tell."""
    tree = parser.parse(text).tree
    return tree is not None and not is_prose(tree)

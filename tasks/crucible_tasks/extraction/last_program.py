"""Find in an answer the last code block that can be run, and its language."""

from __future__ import annotations

from dataclasses import dataclass

from crucible_tasks.challenge import Language
from crucible_tasks.extraction.answer_text import answer
from crucible_tasks.extraction.fences import Block, read_blocks
from crucible_tasks.extraction.parsing import Parser
from crucible_tasks.extraction.reply import ALIASES


@dataclass(frozen=True, slots=True)
class Program:
    """A text that can be run."""

    language: Language
    source: str


def last_program(reply: str) -> Program | None:
    """The last block in Python or JavaScript; one without a tag is taken for Python if it parses.

    Never raises, whatever the text.
    """
    for block in reversed(read_blocks(answer(reply))):
        language = _language(block)
        if language is not None and block.content.strip():
            return Program(language, block.content)
    return None


def _language(block: Block) -> Language | None:
    for language, tags in ALIASES.items():
        if block.language in tags:
            return language
    if block.language or Parser().parse(block.content).tree is None:
        return None
    return Language.PYTHON

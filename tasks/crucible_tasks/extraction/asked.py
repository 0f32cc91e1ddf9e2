"""Find the code in an answer to a person, who has no challenge and no entry point.

Models are asked for one block and mostly give one. Where there are more, the others show how to
install or call it, so the longest is taken; of equals the last, which corrects the one before.
"""

from __future__ import annotations

import re

from crucible_tasks.challenge import Challenge, Language, ScriptTests
from crucible_tasks.completion import Finish
from crucible_tasks.extraction import javascript_code, python_code
from crucible_tasks.extraction.answer_text import answer
from crucible_tasks.extraction.fences import Block, read_blocks, widened
from crucible_tasks.extraction.found import NOTHING, Found
from crucible_tasks.extraction.parsing import Parser
from crucible_tasks.file_languages import PYTHON, FileLanguage

#: tags that name no language
_VAGUE = frozenset(("", "code", "solution", "answer"))

#: what is typed or shown beside the code
_BESIDE = frozenset(
    ("bash", "sh", "shell", "zsh", "console", "terminal", "text", "txt", "output", "diff")
)

#: what is scanned as JavaScript is
_SCRIPTS = frozenset(("javascript", "typescript"))

#: fences a block is widened by, where one inside a docstring has ended it too early
_MOST_ENDS = 8

#: an answer without fences that consists of nothing but markup
_MARKUP = re.compile(r"\s*<[!A-Za-z].*>\s*\Z", re.DOTALL)


def asked_code(reply: str, language: FileLanguage | None, finish: Finish = Finish.STOP) -> Found:
    """The code that was asked for, in this language or in any. Never raises, whatever the text."""
    said = answer(reply)
    blocks = [block for block in read_blocks(said) if block.content.strip()]
    if language is not None and language.is_prose:
        return _prose(said, blocks)
    chosen = _longest(blocks, language)
    if chosen is None:
        return _unfenced(said, language)
    if language is PYTHON or chosen.language in PYTHON.tags:
        chosen = _whole(said, chosen)
    is_cut_off = not chosen.is_closed and finish is Finish.LENGTH
    return Found(chosen.content, "fence", is_trimmed=is_cut_off)


def _longest(blocks: list[Block], language: FileLanguage | None) -> Block | None:
    for group in _groups(blocks, language):
        if group:
            return max(reversed(group), key=lambda block: len(block.content))
    return None


def _groups(blocks: list[Block], language: FileLanguage | None) -> list[list[Block]]:
    """Blocks of the same worth, the worthiest first."""
    vague = [block for block in blocks if block.language in _VAGUE]
    if language is None:
        beside = [block for block in blocks if block.language in _BESIDE]
        return [[block for block in blocks if block not in beside], beside]
    return [[block for block in blocks if block.language in language.tags], vague]


def _whole(text: str, block: Block) -> Block:
    """The block, ended by a later fence where only that makes it parse."""
    parser = Parser()
    if parser.parse(block.content).tree is not None:
        return block
    longer = widened(text, block, _MOST_ENDS)
    return next((each for each in longer if parser.parse(each.content).tree is not None), block)


def _prose(said: str, blocks: list[Block]) -> Found:
    """The whole answer, out of the one fence that some models put around it."""
    text = said.strip()
    if len(blocks) == 1 and text.startswith(("```", "~~~")) and blocks[0].end >= len(said.rstrip()):
        text = blocks[0].content
    return Found(text, "whole_text") if text.strip() else NOTHING


def _unfenced(said: str, language: FileLanguage | None) -> Found:
    """Bare code, where it can be told from prose."""
    if language is PYTHON:
        found = python_code.program(said, _nothing_known(Language.PYTHON), Finish.STOP)
        return NOTHING if found.method == "unparsed" else found
    if language is not None and _SCRIPTS.intersection(language.tags):
        return javascript_code.program(said, _nothing_known(Language.JAVASCRIPT), Finish.STOP)
    if language is not None and _MARKUP.match(said):
        return Found(said.strip(), "whole_text")
    return NOTHING


def _nothing_known(language: Language) -> Challenge:
    return Challenge("", language, "", None, ScriptTests(""))

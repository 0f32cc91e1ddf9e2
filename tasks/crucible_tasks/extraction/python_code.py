"""Find the Python program in a chat reply: fences first, then the parser decides.

The steps and their order are those of `_STEPS`. Whatever is accepted is kept whole; only a block
that does not parse is cut, at its end.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from crucible_tasks.challenge import Challenge
from crucible_tasks.completion import Finish
from crucible_tasks.extraction import function_body, unfenced
from crucible_tasks.extraction.answer_text import answer
from crucible_tasks.extraction.candidate import (
    Candidate,
    best,
    candidate,
    with_suppliers,
)
from crucible_tasks.extraction.fences import Block, read_blocks, widened
from crucible_tasks.extraction.found import NOTHING, Found
from crucible_tasks.extraction.names import Definition
from crucible_tasks.extraction.parsing import Parser
from crucible_tasks.extraction.preamble import with_preamble
from crucible_tasks.extraction.reply import Reply

#: more than these are a runaway loop; the last ones count
_MOST_BLOCKS = 2_000
#: blocks that are tried with a later end, or cut, before the next step
_MOST_REPAIRS = 4
_MOST_ENDS = 8


def program(text: str, challenge: Challenge, finish: Finish) -> Found:
    """The program in a chat reply."""
    said = answer(text)
    blocks = tuple(read_blocks(said)[-_MOST_BLOCKS:])
    reply = Reply(said, blocks, challenge, finish, Parser())
    for step in _STEPS:
        found = step(reply)
        if found.program is not None:
            return found
    return NOTHING


def _whole_block(reply: Reply) -> Found:
    """The last block that parses and defines the entry point."""
    return _best_of(reply, list(reply.blocks), "fence")


def _reread_block(reply: Reply) -> Found:
    """The same, after reading the fences again in other ways."""
    reopened = read_blocks(reply.text, is_reopening=True)[-_MOST_BLOCKS:]
    if len(reopened) != len(reply.blocks):
        found = _best_of(reply, reopened, "fence")
        if found.program is not None:
            return found
    for block in _unreadable(reply)[:_MOST_REPAIRS]:
        for each in (_unglued(block), *widened(reply.text, block, _MOST_ENDS)):
            found = _best_of(reply, [each], "fence")
            if found.program is not None:
                return found
    return NOTHING


def _joined_blocks(reply: Reply) -> Found:
    """All blocks together: an answer told in pieces."""
    pieces = [block for block in reply.blocks if reply.may_be_code(block)]
    if len(pieces) < 2:
        return NOTHING
    whole = replace(pieces[-1], content="\n".join(block.content for block in pieces))
    return _best_of(reply, [whole], "joined")


def _cut_block(reply: Reply) -> Found:
    """The last block that names the entry point, up to where it stops parsing."""
    for block in _mentioning(reply)[:_MOST_REPAIRS]:
        prefix = reply.parser.longest_prefix(block.content)
        found = _best_of(reply, [replace(block, content=prefix)], "trimmed")
        if found.program is not None:
            return Found(found.program, "trimmed", is_trimmed=True)
    return NOTHING


def _any_block(reply: Reply) -> Found:
    """The last block that is code at all: it defines something else, and will be judged so."""
    found = [candidate(reply, block) for block in reversed(reply.blocks) if block.content.strip()]
    readable = [each for each in found if each.tree is not None and not each.is_prose]
    preferred = [each for each in readable if reply.may_be_code(each.block)] or readable
    return _finished(reply, preferred[0], "fence") if preferred else NOTHING


def _unreadable_block(reply: Reply) -> Found:
    """The last block in Python, though it does not parse: the verdict is a syntax error."""
    named = _mentioning(reply) or [
        block for block in reversed(reply.blocks) if reply.is_tagged(block)
    ]
    for block in named:
        if block.content.strip():
            return Found(with_preamble(block.content, reply.challenge, reply.parser), "unparsed")
    return NOTHING


def _best_of(reply: Reply, blocks: list[Block], method: str) -> Found:
    likely = [block for block in blocks if reply.may_be_code(block)]
    for group in (likely, [block for block in blocks if not reply.may_be_code(block)]):
        chosen = best(reply, [candidate(reply, block) for block in group])
        if chosen is not None:
            return _finished(reply, chosen, method)
    return NOTHING


def _finished(reply: Reply, chosen: Candidate, method: str) -> Found:
    code = with_suppliers(reply, chosen)
    is_cut_off = not chosen.block.is_closed and reply.finish is Finish.LENGTH
    return Found(with_preamble(code, reply.challenge, reply.parser), method, is_trimmed=is_cut_off)


def _mentioning(reply: Reply) -> list[Block]:
    """Blocks that seem to define the entry point, last first, those in Python before others."""
    name = reply.challenge.entry_point
    pattern = re.compile(
        rf"^[ \t]*(?:(?:async[ \t]+)?def|class)[ \t]+{re.escape(name)}\b|^{re.escape(name)}[ \t]*="
        if name
        else r"\S",
        re.MULTILINE,
    )
    named = [block for block in reversed(reply.blocks) if pattern.search(block.content)]
    return sorted(named, key=reply.tier)


def _unreadable(reply: Reply) -> list[Block]:
    """Blocks that do not parse as they are, in the same order."""
    found = [
        block for block in reversed(reply.blocks) if reply.parser.parse(block.content).tree is None
    ]
    return sorted(found, key=reply.tier)


def _unglued(block: Block) -> Block:
    """The block without a closing fence that follows code on the last line."""
    content = block.content.rstrip()
    code = content.rstrip("`~")
    return replace(block, content=code if len(content) - len(code) >= 3 else content)


def _outside_fences(reply: Reply) -> Found:
    """Bare code, with or without prose around it."""
    return _with_prefix(reply, unfenced.program(reply, Definition.ASSIGNED))


def _body_only(reply: Reply) -> Found:
    """A function body, put under the prompt's signature."""
    return function_body.from_blocks(reply)


def _any_text(reply: Reply) -> Found:
    """Bare code that defines something else."""
    return _with_prefix(reply, unfenced.program(reply, Definition.MISSING))


def _with_prefix(reply: Reply, found: Found) -> Found:
    if found.program is None:
        return NOTHING
    code = with_preamble(found.program, reply.challenge, reply.parser)
    return Found(code, found.method, is_trimmed=found.is_trimmed)


_STEPS: tuple[Callable[[Reply], Found], ...] = (
    _whole_block,
    _reread_block,
    _joined_blocks,
    _cut_block,
    _outside_fences,
    _body_only,
    _any_block,
    _any_text,
    _unreadable_block,
)

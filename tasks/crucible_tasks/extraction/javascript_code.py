"""Find the JavaScript program in a text by scanning; there is no parser in this version.

So a block is never refused or cut for its syntax: node reports that in the sandbox. Languages
without an implementation of their own are read the same way, any tag counting as theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from crucible_tasks.challenge import Challenge, Language
from crucible_tasks.completion import Finish
from crucible_tasks.extraction.answer_text import (
    MAX_CHARACTERS,
    answer,
    plain_lines,
    until_end_token,
)
from crucible_tasks.extraction.fences import Block, read_blocks, starts_with_fence
from crucible_tasks.extraction.found import NOTHING, Found
from crucible_tasks.extraction.parsing import Parser
from crucible_tasks.extraction.reply import Reply

#: blocks, or pieces behind a function, one answer is put together from at most
_MOST_PIECES = 64

_IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*")
_DECLARED = re.compile(
    r"^(?:export[ \t]+(?:default[ \t]+)?)?"
    r"(?:(?:async[ \t]+)?function\b[ \t]*(?:\*[ \t]*)?|class[ \t]+|(?:const|let|var)[ \t]+)"
    r"([A-Za-z_$][\w$]*)",
    re.MULTILINE,
)
_CODE_LINE = re.compile(
    r"^(?:export|import|async|function|const|let|var|class)\b.*|^(?:module\.)?exports\b.*"
    r"|^['\"]use strict|^(?://|/\*)",
    re.MULTILINE,
)


def program(text: str, challenge: Challenge, finish: Finish) -> Found:
    """The last fenced block that defines the entry point, else bare code that does."""
    said = answer(text)
    reply = Reply(said, tuple(read_blocks(said)), challenge, finish, Parser(0))
    blocks = [block for block in reply.blocks if block.content.strip()]
    if any(_is_wanted(reply, block) for block in blocks):
        blocks = [block for block in blocks if _is_wanted(reply, block)]
    ranked = [(_rank(reply, block), -number, block) for number, block in enumerate(blocks)]
    defining = [each for each in ranked if each[0] is not None]
    if defining:
        _, _, chosen = min(defining, key=lambda each: (each[0] or (), each[1]))
        code = _with_suppliers(chosen, blocks)
        is_cut_off = not chosen.is_closed and finish is Finish.LENGTH
        return Found(_with_preamble(code, challenge), "fence", is_trimmed=is_cut_off)
    bare = _bare_code(said) if not blocks else ""
    if bare:
        return Found(_with_preamble(bare, challenge), "unfenced")
    return Found(blocks[-1].content, "fence") if blocks else NOTHING


def continued_program(text: str, challenge: Challenge, finish: Finish) -> Found:
    """Prompt and continuation, cut behind the brace in column 0 that ends the function.

    Functions and constants behind it stay when what came before uses their names.
    """
    said = until_end_token(plain_lines(text[:MAX_CHARACTERS]))
    if starts_with_fence(said):
        return program(text, challenge, finish)
    if not challenge.prompt_is_code or challenge.entry_point is None:
        return Found(said, "continuation")
    if _definition_rank(said, challenge.entry_point) == 0 and said.lstrip("\n")[:1] not in " \t":
        return Found(_with_preamble(said, challenge), "continuation")
    end = re.search(r"^\}.*\n?", said, re.MULTILINE)
    if end is None:
        return Found(challenge.prompt + said, "continuation")
    code = said[: end.end()]
    for piece in _pieces(said[end.end() :]):
        declared = _DECLARED.match(piece)
        if declared and declared[1] in _IDENTIFIER.findall(code):
            code += piece
    return Found(challenge.prompt + code, "continuation")


def _is_wanted(reply: Reply, block: Block) -> bool:
    return reply.challenge.language is Language.OTHER or reply.may_be_code(block)


def _rank(reply: Reply, block: Block) -> tuple[int, ...] | None:
    is_cut_off = not block.is_closed and reply.finish is Finish.LENGTH
    name = reply.challenge.entry_point
    if name is None or reply.challenge.language is Language.OTHER:
        return (is_cut_off, reply.tier(block))
    rank = _definition_rank(block.content, name)
    return None if rank is None else (rank, is_cut_off, reply.tier(block))


def _definition_rank(code: str, name: str) -> int | None:
    """0 for a definition, 1 for an assignment, 2 for a nameless export, 3 for an import."""
    escaped = re.escape(name)
    word = re.compile(rf"(?<![\w$]){escaped}(?![\w$])")
    # every repetition is bounded or anchored, so that hostile lines take linear time
    keyword = r"(?:function\b[ \t]*(?:\*[ \t]*)?|class[ \t]+|(?:const|let|var)[ \t]+)"
    unpacked = rf"\b(?:const|let|var)[ \t]*[{{\[][^}}\]\n]{{0,200}}(?<![\w$]){escaped}(?![\w$])"
    patterns = (
        rf"(?<![\w$.]){keyword}{escaped}(?![\w$])|\bexports\.{escaped}[ \t]*=",
        rf"^[ \t]*(?:this\.|globalThis\.)?{escaped}[ \t]*=(?!=)|{unpacked}",
        r"^export[ \t]+default\b|\bmodule\.exports[ \t]*=",
    )
    lines = code.split("\n")
    own = "\n".join(line for line in lines if not _is_import(line, word))
    for rank, pattern in enumerate(patterns):
        if re.search(pattern, own, re.MULTILINE):
            return rank
    return 3 if len(own) < len(code) else None


def _is_import(line: str, word: re.Pattern[str]) -> bool:
    """Whether the line brings the name from elsewhere, as usage examples do."""
    left, _, right = line.partition("=")
    if left.lstrip().startswith("import"):
        return word.search(line) is not None
    is_brought = right.lstrip().startswith(("require(", "import(", "await import("))
    return is_brought and word.search(left) is not None


def _with_suppliers(chosen: Block, blocks: list[Block]) -> str:
    """The chosen block behind the earlier blocks that declare what it uses and does not declare."""
    code = chosen.content
    parts = [code]
    used = set(_IDENTIFIER.findall(code))
    declared = set(_DECLARED.findall(code))
    for block in [each for each in reversed(blocks) if each.start < chosen.start][:_MOST_PIECES]:
        offers = set(_DECLARED.findall(block.content))
        # declaring a constant twice is a syntax error
        if offers & (used - declared) and not offers & declared:
            parts.insert(0, block.content)
            used |= set(_IDENTIFIER.findall(block.content))
            declared |= offers
    return code if len(parts) == 1 else "\n".join(parts)


def _with_preamble(code: str, challenge: Challenge) -> str:
    """The code behind the prompt's helpers, when it uses any of them and declares none."""
    if not challenge.prompt_is_code or challenge.entry_point is None:
        return code
    matches = list(_DECLARED.finditer(challenge.prompt))
    own = [each.start() for each in matches if each[1] == challenge.entry_point]
    start = challenge.prompt[: own[-1]] if own else ""
    offers = set(_DECLARED.findall(start))
    uses = offers & set(_IDENTIFIER.findall(code))
    if not uses or offers & set(_DECLARED.findall(code)):
        return code
    return f"{start.rstrip()}\n\n{code}"


def _bare_code(text: str) -> str:
    """From the first line that begins like code to the last that ends like it."""
    first = _CODE_LINE.search(text)
    if first is None:
        return ""
    lines = text[first.start() :].split("\n")
    while lines and not lines[-1].rstrip().endswith(("}", ";", ")")):
        lines.pop()
    return "\n".join(lines)


def _pieces(text: str) -> Iterator[str]:
    """Stretches that each begin in column 0, closing brackets excepted."""
    starts = [match.start() for match in re.finditer(r"^[^\s)\]}]", text, re.MULTILINE)]
    for start, end in pairwise([*starts[:_MOST_PIECES], len(text)]):
        yield text[start:end]

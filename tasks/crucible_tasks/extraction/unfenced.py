"""Find Python that stands in a reply without fences."""

from __future__ import annotations

import re

from crucible_tasks.extraction.candidate import best, candidate, with_suppliers, without_prose_tail
from crucible_tasks.extraction.fences import Block
from crucible_tasks.extraction.found import NOTHING, Found
from crucible_tasks.extraction.names import Definition, definition
from crucible_tasks.extraction.reply import Reply

#: places in a reply where code is looked for
_MOST_STARTS = 64

# lines prose does not begin with
_CODE = re.compile(
    r"^(?:(?:async[ \t]+)?def[ \t]+\w+[ \t]*\(|class[ \t]+\w+[ \t]*[(:]|@\w[\w.]*"
    r"|from[ \t]+[\w.]+[ \t]+import\b|import[ \t]+[\w.]+(?:[ \t]*,|[ \t]+as\b|[ \t]*$)"
    r"|(?:for|while|if|with|try)\b[^\n]*:[ \t]*$|print\(|[A-Za-z_][\w.\[\], ]{0,80}=[ \t]*\S)",
    re.MULTILINE,
)


def program(reply: Reply, least: Definition) -> Found:
    """The whole text if it parses, else the best stretch of it that does.

    `least` is how well the entry point must be defined; MISSING takes any code.
    """
    whole = _stretch(reply, 0, len(reply.text), reply.text)
    tree = reply.parser.parse(reply.text).tree
    if tree is not None:
        each = candidate(reply, whole)
        if not each.is_prose and _is_enough(reply, each.source, least):
            return Found(reply.text, "whole_text")
    stretches = _stretches(reply)
    # the stretches are to each other what blocks are in a fenced reply
    apart = Reply(reply.text, tuple(stretches), reply.challenge, reply.finish, reply.parser)
    chosen = best(apart, [candidate(apart, block) for block in stretches])
    if chosen is None and least is Definition.MISSING:
        found = [candidate(apart, block) for block in stretches]
        chosen = next((each for each in reversed(found) if not each.is_prose), None)
    if chosen is None or not _is_enough(reply, chosen.source, least):
        return NOTHING
    return Found(
        with_suppliers(apart, chosen),
        "unfenced",
        is_trimmed=_goes_on(reply.text[chosen.block.end :]),
    )


def _is_enough(reply: Reply, source: str, least: Definition) -> bool:
    tree, name = reply.parser.parse(source).tree, reply.challenge.entry_point
    if tree is None:
        return False
    return name is None or least is Definition.MISSING or definition(tree, name) <= least


def _stretches(reply: Reply) -> list[Block]:
    stretches: list[Block] = []
    position = 0
    for _ in range(_MOST_STARTS):
        start = _CODE.search(reply.text, position)
        if start is None:
            break
        prefix = reply.parser.longest_prefix(reply.text[start.start() :])
        tree = reply.parser.parse(prefix).tree
        code = without_prose_tail(prefix, tree) if tree else ""
        end = start.start() + max(len(code), 1)
        if code.strip():
            stretches.append(_stretch(reply, start.start(), end, code))
        position = end
    return stretches


def _stretch(reply: Reply, start: int, end: int, code: str) -> Block:
    is_closed = end < len(reply.text)
    return Block("", code, start, start, end, 0, is_closed)


def _goes_on(rest: str) -> bool:
    """Whether what follows is code that could not be read, rather than prose."""
    lines = [line for line in rest.split("\n", 50)[1:] if line.strip()]
    return bool(lines) and (lines[0][0] in " \t" or _CODE.match(lines[0]) is not None)

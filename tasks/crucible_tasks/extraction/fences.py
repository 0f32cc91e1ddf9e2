"""Fenced code blocks, read as CommonMark reads them and a little more kindly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

#: deeper fences are art, and a huge count would be a huge regular expression
_MAX_INDENT = 200

# a fence may follow a list marker; `lead` is what its content lines are indented by
_FENCE = re.compile(
    r"^(?P<lead>[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]{1,4})?)"
    r"(?P<mark>`{3,}|~{3,})(?P<info>[^\n]*)\n?",
    re.MULTILINE,
)
#: "```python", "``` {.python .numberLines}", "```python:solution.py", "```c++ title=a"
_LANGUAGE = re.compile(r"[\s{.]*([A-Za-z0-9_+#-]+)")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. Positions count characters of the whole text."""

    #: first word behind the opening fence, in lower case; "" when there is none
    language: str
    content: str
    #: where its opening fence starts
    start: int
    #: where its content starts
    body: int
    #: behind its closing fence, or the end of the text
    end: int
    indent: int
    is_closed: bool


def read_blocks(text: str, *, is_reopening: bool = False) -> list[Block]:
    """All blocks in the order of the text; the last one may be unclosed.

    By CommonMark 0.31 section 4.5 a fence with a language cannot close a block. Models forget to
    close: `is_reopening` lets such a fence close the block before it and open the next.
    """
    blocks: list[Block] = []
    opening: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opening is None:
            opening = fence if _can_open(fence) else None
        elif _closes(opening, fence):
            blocks.append(_block(text, opening, fence.start(), fence.end(), is_closed=True))
            opening = None
        elif is_reopening and _can_open(fence) and fence["info"].strip():
            blocks.append(_block(text, opening, fence.start(), fence.start(), is_closed=True))
            opening = fence
    if opening is not None:
        blocks.append(_block(text, opening, len(text), len(text), is_closed=False))
    return blocks


def widened(text: str, block: Block, most: int) -> Iterator[Block]:
    """The block, ended by each of the next `most` fences instead of its own.

    A fence inside a docstring looks as if it closed the block.
    """
    for count, fence in enumerate(_FENCE.finditer(text, block.end)):
        if count == most:
            return
        if not fence["info"].strip():
            yield _ended(text, block, fence.start(), fence.end(), is_closed=True)
    yield _ended(text, block, len(text), len(text), is_closed=False)


def starts_with_fence(text: str) -> bool:
    """Whether the first line that is not blank opens a block."""
    fence = _FENCE.match(text, len(text) - len(text.lstrip()))
    return fence is not None and _can_open(fence)


def _can_open(fence: re.Match[str]) -> bool:
    is_inline = fence["mark"][0] == "`" and "`" in fence["info"]
    return not is_inline and len(fence["lead"]) <= _MAX_INDENT


def _closes(opening: re.Match[str], fence: re.Match[str]) -> bool:
    return (
        fence["mark"].startswith(opening["mark"])
        and not fence["info"].strip()
        and not fence["lead"].strip()
        # deeper ones are inside the code, for example in a docstring
        and len(fence["lead"]) <= len(opening["lead"]) + 3
    )


def _block(text: str, opening: re.Match[str], stop: int, end: int, *, is_closed: bool) -> Block:
    language = _LANGUAGE.match(opening["info"])
    indent = len(opening["lead"])
    content = _dedented(text[opening.end() : stop], indent)
    name = language[1].lower() if language else ""
    return Block(name, content, opening.start(), opening.end(), end, indent, is_closed)


def _ended(text: str, block: Block, stop: int, end: int, *, is_closed: bool) -> Block:
    content = _dedented(text[block.body : stop], block.indent)
    return replace(block, content=content, end=end, is_closed=is_closed)


def _dedented(content: str, indent: int) -> str:
    if not indent:
        return content
    return re.sub(rf"^[ \t]{{1,{indent}}}", "", content, flags=re.MULTILINE)

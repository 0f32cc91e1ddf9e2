"""Cuts a long file at line ends into pieces that fit a row."""

from __future__ import annotations

from collections.abc import Iterator

from crucible_workers.trainer.tokenising import Tokens


def cut(text: str, budget: int, tokens: Tokens) -> list[str]:
    """Pieces of at most about `budget` tokens, which joined are the text again.

    Lines are counted one by one: a token rarely spans a line's end, and a row has room for those.
    """
    lines = text.splitlines(keepends=True)
    counts = [len(ids) for ids in tokens.encode_all(lines)] if lines else []
    if sum(counts) <= budget:
        return [text] if text else []
    pieces: list[str] = []
    held: list[str] = []
    size = 0
    for line, count in zip(lines, counts, strict=True):
        if held and size + count > budget:
            pieces.append("".join(held))
            held, size = [], 0
        if count > budget:
            pieces += _halves(line, budget, tokens)
        else:
            held.append(line)
            size += count
    return [*pieces, "".join(held)] if held else pieces


def _halves(line: str, budget: int, tokens: Tokens) -> Iterator[str]:
    """A line longer than a row: a table of numbers, or a file in one line."""
    if len(line) < 2 or len(tokens.encode(line)) <= budget:
        yield line
        return
    middle = len(line) // 2
    yield from _halves(line[:middle], budget, tokens)
    yield from _halves(line[middle:], budget, tokens)

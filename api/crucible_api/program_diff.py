"""Two programs beside each other: which lines differ, and which words of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import zip_longest

#: lines of a program; comparing takes the square of them
LONGEST = 2000

#: characters of a line whose words are compared
_LONGEST_LINE = 500

#: lines less alike than this share no more than some words by chance
_ALIKE = 0.4

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


class Change(StrEnum):
    """What became of a line."""

    SAME = "same"
    CHANGED = "changed"
    #: only A has it
    REMOVED = "removed"
    #: only B has it
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line."""

    text: str
    is_changed: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """A line of A beside one of B; a side without one has no number."""

    change: Change
    number_a: int | None
    number_b: int | None
    a: tuple[Piece, ...] = ()
    b: tuple[Piece, ...] = ()


def diff(a: str, b: str) -> tuple[Pair, ...] | None:
    """The lines of A and B; None for programs that are too long to be compared."""
    of_a, of_b = a.split("\n"), b.split("\n")
    if max(len(of_a), len(of_b)) > LONGEST:
        return None
    return tuple(_pairs(of_a, of_b))


def _pairs(a: Sequence[str], b: Sequence[str]) -> Iterator[Pair]:
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    for _, a_from, a_to, b_from, b_to in matcher.get_opcodes():
        numbered_a = enumerate(a[a_from:a_to], start=a_from + 1)
        numbered_b = enumerate(b[b_from:b_to], start=b_from + 1)
        for left, right in zip_longest(numbered_a, numbered_b):
            yield _pair(left, right)


def _pair(left: tuple[int, str] | None, right: tuple[int, str] | None) -> Pair:
    if left is None:
        assert right is not None
        return Pair(Change.ADDED, None, right[0], b=_whole(right[1]))
    if right is None:
        return Pair(Change.REMOVED, left[0], None, a=_whole(left[1]))
    if left[1] == right[1]:
        same = (Piece(left[1], is_changed=False),)
        return Pair(Change.SAME, left[0], right[0], same, same)
    return Pair(Change.CHANGED, left[0], right[0], *_words(left[1], right[1]))


def _words(a: str, b: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Both lines with the words marked that differ; whole where they have little in common."""
    if max(len(a), len(b)) > _LONGEST_LINE:
        return _whole(a), _whole(b)
    of_a, of_b = _WORDS.findall(a), _WORDS.findall(b)
    matcher = SequenceMatcher(None, of_a, of_b, autojunk=False)
    if matcher.ratio() < _ALIKE:
        return _whole(a), _whole(b)
    left, right = [], []
    for name, a_from, a_to, b_from, b_to in matcher.get_opcodes():
        left.append(Piece("".join(of_a[a_from:a_to]), name != "equal"))
        right.append(Piece("".join(of_b[b_from:b_to]), name != "equal"))
    return tuple(one for one in left if one.text), tuple(one for one in right if one.text)


def _whole(line: str) -> tuple[Piece, ...]:
    """All of a line but its indentation, which says nothing by itself."""
    code = line.lstrip()
    indentation = line[: len(line) - len(code)]
    pieces = (Piece(indentation, is_changed=False), Piece(code, is_changed=True))
    return tuple(one for one in pieces if one.text)

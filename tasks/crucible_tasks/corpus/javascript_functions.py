"""The functions of a JavaScript text, each with its lines and its shape, as `functions` has them.

A shape is here the row of a body's tokens: comments, punctuation and the words of a declaration are
taken out, and every name but those of properties and of the language's own objects is numbered in
the order in which it appears.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from crucible_infra.errors import FormatError
from crucible_tasks.corpus.cut import Cut, Lines, kept_lines
from crucible_tasks.corpus.functions import Function, Shape
from crucible_tasks.repository.javascript.shapes import Shape as Place
from crucible_tasks.repository.javascript.shapes import method_at, shape_at
from crucible_tasks.repository.javascript.tokens import KEYWORDS, Token, Tokens, read

JAVASCRIPT = "javascript"

#: the language's own objects, and Node's
_OWN = frozenset(
    "Array Boolean Buffer Date Error JSON Map Math NaN Number Object Promise RangeError RegExp "
    "Set String Symbol TypeError Infinity console exports isNaN module parseFloat parseInt "
    "process require undefined".split()
)
#: says nothing about the computation
_SILENT = frozenset("; , ( ) { } . const let var".split())


def parsed(text: str) -> Tokens | None:
    """The tokens; None when the text is no JavaScript that can be read."""
    try:
        return read(text)
    except (FormatError, RecursionError):
        return None


def functions_of(tokens: Tokens) -> list[Function]:
    """Every function, nested ones too, in the order of their lines."""
    found = [_function(tokens, name, place) for name, place in _every(tokens)]
    return sorted(found, key=lambda function: (function.first_line, -function.last_line))


def cut(tokens: Tokens, unwanted: list[Lines]) -> Cut:
    """The text without every statement of the module that has one of these lines."""
    gone = {number for lost in unwanted for number in range(lost.first, lost.last + 1)}
    starts = [place for place in tokens.outermost() if tokens.is_start(place)]
    for first, following in pairwise([*starts, len(tokens.all)]):
        span = _span(tokens, first, following - 1)
        if any(lost.meets(span) for lost in unwanted):
            gone.update(range(_with_comments(tokens, first, span.first), span.last + 1))
    return kept_lines(tokens.text, gone)


def _span(tokens: Tokens, first: int, last: int) -> Lines:
    text = tokens.text
    begin, end = tokens.all[first].start, tokens.all[last].end
    return Lines(text.count("\n", 0, begin) + 1, text.count("\n", 0, end) + 1)


def _with_comments(tokens: Tokens, first: int, line: int) -> int:
    """The line on which the comments right above a statement begin."""
    begin = tokens.all[first].start
    for start, end in reversed(tokens.comments):
        if end > begin:
            continue
        if tokens.text[end:begin].strip() or tokens.text.count("\n", end, begin) > 1:
            break
        begin, line = start, tokens.text.count("\n", 0, start) + 1
    return line


def _every(tokens: Tokens) -> Iterator[tuple[str, Place]]:
    for place, token in enumerate(tokens.all):
        before = tokens.word(place - 1)
        is_named = before == "function" or tokens.word(place - 2) == "function"
        if before in (".", "?.", "async", "new") or (is_named and token.text != "("):
            # part of a function that has begun before, or none
            continue
        found = None
        if token.text in ("function", "async", "(") or tokens.is_name(place):
            found = shape_at(tokens, place) or method_at(tokens, place)
        if found is not None:
            yield found.name or _given_name(tokens, place), found


def _given_name(tokens: Tokens, place: int) -> str:
    """What the function is assigned to; empty when that is nothing."""
    return tokens.word(place - 2) if tokens.word(place - 1) in ("=", ":") else ""


def _function(tokens: Tokens, name: str, place: Place) -> Function:
    span = _span(tokens, place.first, place.last)
    inside = tokens.all[place.body : place.last + 1]
    return Function(name, span.first, span.last, _shape(inside, is_value=place.is_expression))


def _shape(inside: list[Token], *, is_value: bool) -> Shape:
    numbers: dict[str, int] = {}
    parts, words = (["return"], ["return"]) if is_value else ([], [])
    before = ""
    for token in inside:
        text = token.text
        is_property = before in (".", "?.")
        before = text
        if text in _SILENT:
            continue
        is_name = token.kind == "word" and text not in KEYWORDS | _OWN and not is_property
        if token.kind == "text":
            text = repr(text[1:-1])
        parts.append(f"_{numbers.setdefault(text, len(numbers))}" if is_name else text)
        words.append("_" if is_name else text)
    return Shape(" ".join(parts), tuple(words), len(words))

"""What a model is told of a JavaScript function: imports, the comment above it, its signature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from crucible_tasks.repository.javascript.shapes import Shape
from crucible_tasks.repository.javascript.tokens import Tokens

#: lines of imports shown above a function; more would hide it
_MOST_IMPORT_LINES = 80
_DECLARING = ("const", "let", "var")


@dataclass(frozen=True, slots=True)
class Head:
    """A function in three parts, which are a program together."""

    prompt: str
    body: str
    #: the end of the body, which closes an empty one as well
    tail: str


def head_of(tokens: Tokens, begin: int, shape: Shape) -> Head:
    """The statement that begins there and binds this function; an expression as a block."""
    text = tokens.text
    above = text[_comment_begin(tokens, begin) : begin]
    opening, end = tokens.all[shape.body], tokens.all[shape.last].end
    has_semicolon = tokens.word(shape.last + 1) == ";"
    if shape.is_expression:
        head = text[begin : opening.start].rstrip()
        return Head(f"{above}{head} {{\n", f"  return {text[opening.start : end]};\n}};\n", "};\n")
    tail = "};\n" if has_semicolon else "}\n"
    inside = text[opening.end : end - 1]
    first, line_end, rest = inside.partition("\n")
    is_on_next_line = bool(line_end) and not first.strip()
    inside = rest if is_on_next_line else f"  {inside.lstrip(' ')}"
    body = inside.rstrip(" \t")
    body += "" if body.endswith("\n") else "\n"
    return Head(f"{above}{text[begin : opening.end]}\n", body + tail, tail)


def imports_of(tokens: Tokens, begin: int) -> str:
    """The statements above a function that bring in other modules, with a line end behind each."""
    lines: list[str] = []
    for text in _imports(tokens, begin):
        lines += text.split("\n")
    return "".join(f"{line}\n" for line in lines[:_MOST_IMPORT_LINES])


def _imports(tokens: Tokens, begin: int) -> Iterator[str]:
    starts = [place for place in tokens.outermost() if tokens.is_start(place)]
    for place, following in pairwise([*starts, len(tokens.all)]):
        start = tokens.all[place].start
        if start >= begin:
            return
        if tokens.word(place) == "import" and tokens.word(place + 1) not in ("(", "."):
            yield tokens.text[start : tokens.all[tokens.import_end(place)].end]
        elif tokens.word(place) in _DECLARING:
            words = {tokens.word(each) for each in range(place, following)}
            if "require" in words and not words & {"=>", "function"}:
                yield tokens.text[start : tokens.all[following - 1].end]


def _comment_begin(tokens: Tokens, begin: int) -> int:
    """Where the comments that stand right above a statement begin."""
    for start, end in reversed(tokens.comments):
        between = tokens.text[end:begin]
        if end > begin:
            continue
        is_first = tokens.text.rfind("\n", 0, start) + 1
        is_own_line = not tokens.text[is_first:start].strip()
        if between.strip() or between.count("\n") > 1 or not is_own_line:
            break
        begin = start
    return begin

"""Mutants: a JavaScript function with one small mistake, in an order that its own text decides.

One token is exchanged or taken out, so nearly every mutant is JavaScript still; one that is not
fails no test, for Node refuses it when it is tried.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from crucible_infra.errors import FormatError
from crucible_tasks.repository.javascript.functions import Function
from crucible_tasks.repository.javascript.tokens import Tokens, read

_OTHERS = {
    "<": ">=",
    "<=": "<",
    ">": "<=",
    ">=": ">",
    "==": "!=",
    "!=": "==",
    "===": "!==",
    "!==": "===",
    "+": "-",
    "-": "+",
    "*": "+",
    "/": "*",
    "%": "*",
    "&": "|",
    "|": "&",
    "&&": "||",
    "||": "&&",
    "??": "&&",
    "+=": "-=",
    "-=": "+=",
    "*=": "+=",
    "/=": "*=",
    "++": "--",
    "--": "++",
    "<<": ">>",
    ">>": "<<",
    "true": "false",
    "false": "true",
}
_CONDITIONS = ("if", "while")


def mutants(function: Function, most: int) -> tuple[str, ...]:
    """Whole programs, each wrong in one place, as far as that can be told without running it."""
    try:
        tokens = read(function.body_text)
    except FormatError:
        return ()
    changes = sorted(set(_changes(tokens)), key=lambda change: _mixed(function, change))
    made = (_changed(function, *change) for change in changes)
    return tuple(dict.fromkeys(made))[:most]


def _mixed(function: Function, change: tuple[int, int, str]) -> bytes:
    """An order that is no order of the code, so that the first few come from all over it."""
    text = f"{function.path} {function.qualified_name} {change}"
    return hashlib.sha256(text.encode()).digest()


def _changed(function: Function, start: int, end: int, other: str) -> str:
    text = function.body_text
    return f"{function.prompt}{text[:start]}{other}{text[end:]}{function.tail}"


def _changes(tokens: Tokens) -> Iterator[tuple[int, int, str]]:
    """Stretches of the body, and what to put in their places."""
    for place, token in enumerate(tokens.all):
        other = _OTHERS.get(token.text)
        is_binary = token.text not in ("+", "-") or _is_operand(tokens, place - 1)
        if other is not None and token.kind in ("sign", "word") and is_binary:
            yield token.start, token.end, other
        if token.kind == "number" and token.text.isdigit() and str(int(token.text)) == token.text:
            yield token.start, token.end, str(int(token.text) + 1)
        if token.text == "!" and token.kind == "sign":
            yield token.start, token.end, ""
        if token.text in _CONDITIONS and tokens.word(place + 1) == "(":
            yield from _negated(tokens, place + 1)
        if token.text == "return" and place + 1 < len(tokens.all):
            yield from _wrapped(tokens, place)
        if token.text == "(" and _is_call(tokens, place):
            yield from _shortened(tokens, place)


def _is_operand(tokens: Tokens, place: int) -> bool:
    if place < 0:
        return False
    token = tokens.all[place]
    if token.kind == "word":
        return token.text not in ("return", "typeof", "case", "in", "of", "void", "delete")
    return token.kind != "sign" or token.text in (")", "]", "}", "++", "--")


def _negated(tokens: Tokens, opening: int) -> Iterator[tuple[int, int, str]]:
    start, end = tokens.all[opening].end, tokens.all[tokens.partners[opening]].start
    yield start, end, f"!({tokens.text[start:end]})"


def _wrapped(tokens: Tokens, place: int) -> Iterator[tuple[int, int, str]]:
    """Give nothing instead of what was to be given."""
    following = tokens.all[place + 1]
    if not following.is_after_line and following.text not in (";", "}"):
        # before it, so that the end of the expression need not be known
        yield tokens.all[place].end, tokens.all[place].end, " undefined &&"


def _is_call(tokens: Tokens, place: int) -> bool:
    before = place - 1
    if before < 0 or tokens.word(tokens.partners[place] + 1) in ("{", "=>"):
        return False
    is_name = tokens.is_name(before) or tokens.word(before) in (")", "]")
    return is_name and tokens.word(before - 1) != "function"


def _shortened(tokens: Tokens, opening: int) -> Iterator[tuple[int, int, str]]:
    """Forget what a call is given."""
    closing = tokens.partners[opening]
    if closing > opening + 1:
        yield tokens.all[opening].end, tokens.all[closing].start, ""

"""A function where an expression or a declaration may stand: where it begins, and where it ends."""

from __future__ import annotations

from dataclasses import dataclass

from crucible_tasks.repository.javascript.tokens import GOES_ON, Tokens

#: before parentheses and braces that are no method's
_NO_METHODS = frozenset("if for while switch catch with function return await super".split())
_ENDS = frozenset(") ] } ++ --".split())


@dataclass(frozen=True, slots=True)
class Shape:
    """One function, by places of tokens."""

    #: its own name; empty when it has none
    name: str
    first: int
    last: int
    #: the parenthesis that opens its parameters, or the only parameter of an arrow
    given: int
    #: the brace that opens its body, or the first token of an arrow's expression
    body: int
    is_arrow: bool
    #: whether the body is an expression
    is_expression: bool
    #: whether nothing but a semicolon follows it in its statement
    is_alone: bool
    does_something: bool
    parameters: int


def shape_at(tokens: Tokens, place: int) -> Shape | None:
    """The function that begins there; None where something else does."""
    first = place
    if tokens.word(place) == "async" and not tokens.word(place + 1).startswith(("=>", ".", "=")):
        place += 1
    if tokens.word(place) == "function":
        return _spelled(tokens, first, place + 1)
    return _arrow(tokens, first, place)


def method_at(tokens: Tokens, place: int) -> Shape | None:
    """The method of a class or an object that begins there with its name."""
    closing = tokens.partners.get(place + 1) if tokens.word(place + 1) == "(" else None
    if closing is None or tokens.word(closing + 1) != "{" or tokens.word(place) in _NO_METHODS:
        return None
    body = closing + 1
    return Shape(
        name=tokens.word(place),
        first=place,
        last=tokens.partners[body],
        given=place + 1,
        body=body,
        is_arrow=False,
        is_expression=False,
        is_alone=True,
        does_something=tokens.partners[body] > body + 1,
        parameters=_parameters(tokens, place + 1),
    )


def _spelled(tokens: Tokens, first: int, place: int) -> Shape | None:
    place += tokens.word(place) == "*"
    name = ""
    if tokens.word(place) != "(":
        name, place = tokens.word(place), place + 1
    closing = tokens.partners.get(place)
    if closing is None or tokens.word(closing + 1) != "{":
        return None
    body = closing + 1
    last = tokens.partners[body]
    return Shape(
        name=name,
        first=first,
        last=last,
        given=place,
        body=body,
        is_arrow=False,
        is_expression=False,
        is_alone=_is_alone(tokens, last),
        does_something=last > body + 1,
        parameters=_parameters(tokens, place),
    )


def _arrow(tokens: Tokens, first: int, place: int) -> Shape | None:
    closing = tokens.partners.get(place) if tokens.word(place) == "(" else place
    is_name = tokens.is_name(place) or tokens.word(place) == "("
    if closing is None or not is_name or tokens.word(closing + 1) != "=>":
        return None
    body = closing + 2
    is_expression = tokens.word(body) != "{"
    last = _expression_end(tokens, body) if is_expression else tokens.partners[body]
    return Shape(
        name="",
        first=first,
        last=last,
        given=place,
        body=body,
        is_arrow=True,
        is_expression=is_expression,
        is_alone=_is_alone(tokens, last),
        does_something=is_expression or last > body + 1,
        parameters=_parameters(tokens, place) if tokens.word(place) == "(" else 1,
    )


def _expression_end(tokens: Tokens, place: int) -> int:
    """The last token of an expression that a statement ends with."""
    while True:
        place = tokens.partners.get(place, place)
        following = place + 1
        if following >= len(tokens.all) or tokens.word(following) in (";", ",", ")", "]", "}"):
            return place
        token = tokens.all[following]
        is_complete = tokens.all[place].kind != "sign" or tokens.word(place) in _ENDS
        if token.is_after_line and is_complete and token.text not in GOES_ON:
            return place
        place = following


def _is_alone(tokens: Tokens, last: int) -> bool:
    following = last + 1
    if following >= len(tokens.all) or tokens.word(following) == ";":
        return True
    token = tokens.all[following]
    return token.is_after_line and token.text not in GOES_ON


def _parameters(tokens: Tokens, opening: int) -> int:
    """As `length` counts them: before the first with a default value, or the rest."""
    closing = tokens.partners[opening]
    if closing == opening + 1:
        return 0
    count, place = 0, opening + 1
    has_started = False
    while place < closing:
        word = tokens.word(place)
        if word in ("=", "..."):
            return count - (word == "=" and has_started)
        if word == ",":
            has_started = False
        elif not has_started:
            count += 1
            has_started = True
        place = tokens.partners.get(place, place) + 1
    return count

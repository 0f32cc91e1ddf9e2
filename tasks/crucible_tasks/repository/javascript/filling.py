"""A program as it fills a hole: text that may stand in a function, and what it imports.

An answer is a whole module, as models write them, and is evaluated inside the module whose function
it replaces: its imports come before it, and what it exports is looked at when it has run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from crucible_infra.errors import FormatError
from crucible_tasks.repository.javascript.tokens import Tokens, read


@dataclass(frozen=True, slots=True)
class Import:
    """Names that a program takes from another module."""

    module: str
    #: pairs of its name there, "*" for everything, and here
    names: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Filling:
    """What is evaluated in a module's scope."""

    text: str
    imports: tuple[Import, ...]


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str = ""


def filling_of(program: str) -> Filling:
    """A program's text without `import` and `export`; as it is where it cannot be read."""
    try:
        tokens = read(program)
    except (FormatError, RecursionError):
        # what is wrong with it, Node will say
        return Filling(program, ())
    imports: list[Import] = []
    edits: list[_Edit] = []
    exported: list[tuple[str, str]] = []
    for place in tokens.outermost():
        if not tokens.is_start(place):
            continue
        word = tokens.word(place)
        if word == "import" and tokens.word(place + 1) not in ("(", "."):
            last = tokens.import_end(place)
            imports.append(_import(tokens, place, last))
            edits.append(_Edit(tokens.all[place].start, tokens.all[last].end))
        elif word == "export":
            edits.append(_export(tokens, place, exported))
    text = _edited(program, edits)
    if exported:
        pairs = ", ".join(f"{outer}: {inner}" for inner, outer in exported if outer != "default")
        text += f"\n;module.exports = {{ {pairs} }};\n"
    return Filling(text, tuple(imports))


def _import(tokens: Tokens, first: int, last: int) -> Import:
    words = [tokens.all[place] for place in range(first + 1, last + 1)]
    module = next((token.text[1:-1] for token in words if token.kind == "text"), "")
    clause = " ".join(token.text for token in words).partition(" from ")[0]
    names: list[tuple[str, str]] = []
    braced = re.search(r"\{(.*?)\}", clause)
    if braced is not None:
        names += [_renamed(part) for part in braced[1].split(",") if part.strip()]
        clause = clause.replace(braced[0], "")
    for part in clause.split(","):
        every = re.fullmatch(r"\s*\*\s*as\s+([\w$]+)\s*", part)
        if every is not None:
            names.append(("*", every[1]))
        elif re.fullmatch(r"\s*[A-Za-z_$][\w$]*\s*", part):
            names.append(("default", part.strip()))
    return Import(module, tuple(names))


def _renamed(part: str) -> tuple[str, str]:
    """`a as b` as the two names; `a` twice."""
    first, _, second = part.strip().partition(" as ")
    return first.strip(), (second or first).strip()


def _export(tokens: Tokens, place: int, exported: list[tuple[str, str]]) -> _Edit:
    start, following = tokens.all[place].start, tokens.word(place + 1)
    if following == "default":
        end = tokens.all[place + 1].end
        is_named = _is_named(tokens, place + 2)
        return _Edit(start, end, "" if is_named else "module.exports =")
    if following in ("{", "*"):
        last = tokens.import_end(place + 1)
        is_own = all(tokens.word(each) != "from" for each in range(place, last))
        if following == "{" and is_own:
            exported += _exported(tokens, place + 1)
        return _Edit(start, tokens.all[last].end)
    return _Edit(start, tokens.all[place].end)


def _exported(tokens: Tokens, opening: int) -> Iterator[tuple[str, str]]:
    closing = tokens.partners[opening]
    text = " ".join(tokens.word(place) for place in range(opening + 1, closing))
    return (_renamed(part) for part in text.split(",") if part.strip())


def _is_named(tokens: Tokens, place: int) -> bool:
    """Whether a declaration with a name stands there."""
    place += tokens.word(place) == "async"
    if tokens.word(place) not in ("function", "class"):
        return False
    place += 1
    place += tokens.word(place) == "*"
    return tokens.is_name(place) and tokens.word(place) != "extends"


def _edited(text: str, edits: list[_Edit]) -> str:
    parts, done = [], 0
    for edit in edits:
        # every other line keeps its number
        lines = "\n" * text.count("\n", edit.start, edit.end)
        parts += [text[done : edit.start], edit.text, lines]
        done = edit.end
    return "".join([*parts, text[done:]])

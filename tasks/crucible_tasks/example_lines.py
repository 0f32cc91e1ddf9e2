"""The lines of a prompt that may hold an example, and calls with their results in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

#: lines longer than this hold data, not an example
_LONGEST_LINE = 1000
#: of one prompt; a pasted file of more is looked at no further
_MOST_LINES = 2000
#: of one line; each may be as long as the line
_MOST_CALLS = 20

_BULLET = re.compile(
    r"^(?:[>*•|-]\s+|\d+[.)]\s+|#+\s+|//\s*|e\.g\.,?\s*|(?:for )?examples?\s*\d*\s*[:,]\s*)+",
    re.IGNORECASE,
)
_CALL = re.compile(r"(?<![\w.$])([A-Za-z_$][\w$]*)\(")
_NOT_A_CALL = re.compile(r"\b(?:def|function|class|new|not)\s+$")
_RESULT = re.compile(
    r"[`\s]*(?:->|=>|[→⇒➞]|===?|=|(?://|\#)\s*(?:=>|->|→)?|"
    r"(?:should |must |will |would )?(?:return|returns|give|gives|equal|equals|evaluates? to)\b|"
    r"(?:should |must )be\b|is\b|yields?\b)[`:\s]*",
)
_RAISES = re.compile(
    r"[`\s]*(?:should |must |will |would )?(?:raises?|throws?)\s+(?:an?\s+)?[`\s]*([A-Za-z]\w*)?"
)
#: what may stand behind a result; anything else could make another value of it
_END = re.compile(
    r"[`\s]*(?:$|[.;:!?)|]|(?:,|and\b)(?!\s*[-+\d'\"\[{])|\(|\#|//|[\u2013\u2014]|-\s(?!\s*[\d(])"
    r"|(?:because|since)\b)"
)
#: a line with one of these may tell what a program does and should not do
_DOUBTFUL = re.compile(
    r"\b(?:instead|currently|wrong(?:ly)?|incorrect(?:ly)?|bugs?|actual(?:ly)?|but|fails?|why|not"
    r"|however|unless|or)\b|n't\b",
    re.IGNORECASE,
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_WORD = re.compile(r"[-+]?[\w.$]+")


@dataclass(frozen=True, slots=True)
class Check:
    """One example: statements of a test script, and the names it takes from the program."""

    source: str
    #: names of the program that it calls
    called: tuple[str, ...]
    #: as people read it; empty for what only prepares the next one
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A call and what a text says of it: its result as it is written there, or what it raises."""

    name: str
    call: str
    result: str | None = None
    raised: str | None = None


def lines_of(text: str) -> list[str]:
    """The text's lines, without those too long to be an example."""
    lines = text.splitlines()[:_MOST_LINES]
    return ["" if len(line) > _LONGEST_LINE else line for line in lines]


def bare(line: str) -> str:
    """A line without what lists and quotations put before it, and without backticks around it."""
    return _BULLET.sub("", line.strip()).strip().strip("`").strip()


def said_in(line: str) -> Iterator[Said]:
    """Every call of a line that is followed by its result, where nothing casts doubt on it."""
    if _DOUBTFUL.search(line):
        return
    for found in islice(_CALL.finditer(line), _MOST_CALLS):
        if _NOT_A_CALL.search(line[: found.start()]):
            continue
        end = closing(line, found.end() - 1)
        if end is None:
            return
        call = line[found.start() : end]
        raised = _RAISES.match(line, end)
        if raised:
            yield Said(found[1], call, raised=raised[1] or "")
            continue
        relation = _RESULT.match(line, end)
        result = _value_at(line, relation.end()) if relation else None
        if result:
            yield Said(found[1], call, result)


def closing(line: str, start: int) -> int | None:
    """Where the bracket at `start` is closed, or None; brackets in strings do not count."""
    expected: list[str] = []
    quote = ""
    place = start
    while place < len(line):
        letter = line[place]
        if quote:
            if letter == "\\":
                place += 1
            elif letter == quote:
                quote = ""
        elif letter in "'\"":
            quote = letter
        elif letter in _CLOSING:
            expected.append(_CLOSING[letter])
        elif letter in _CLOSING.values():
            if not expected or expected.pop() != letter:
                return None
            if not expected:
                return place + 1
        place += 1
    return None


def _value_at(line: str, start: int) -> str | None:
    """What looks like one literal at this place, and is all that is said there."""
    first = line[start : start + 1]
    end: int | None
    if first and first in _CLOSING:
        end = closing(line, start)
    elif first and first in "'\"":
        end = _string_end(line, start)
    else:
        word = _WORD.match(line, start)
        end = start + len(word[0].rstrip(".")) if word else None
    return line[start:end] if end is not None and _END.match(line, end) else None


def _string_end(line: str, start: int) -> int | None:
    place = start + 1
    while place < len(line):
        if line[place] == "\\":
            place += 1
        elif line[place] == line[start]:
            return place + 1
        place += 1
    return None

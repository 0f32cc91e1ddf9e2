"""The tokens of a JavaScript text, with its brackets in pairs.

A slash is a division or begins a regular expression, which only a parser knows for certain; what
stands before it tells in all but contrived code. A text whose brackets do not pair was misread, or
is no JavaScript: it raises FormatError, and nobody guesses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from crucible_infra.errors import FormatError


@dataclass(frozen=True, slots=True)
class Token:
    """One of them, by its place in the text."""

    #: "word", "number", "text", "template", "expression" (a regular one) or "sign"
    kind: str
    text: str
    start: int
    end: int
    #: whether a line ends somewhere between it and the one before it
    is_after_line: bool


@dataclass(frozen=True, slots=True)
class Tokens:
    """All of a text."""

    text: str
    all: list[Token]
    #: places of comments in the text
    comments: list[tuple[int, int]]
    #: of each bracket the place of its partner, in `all`
    partners: dict[int, int] = field(default_factory=dict)

    def word(self, place: int) -> str:
        """The text at that place, which may lie behind the end."""
        return self.all[place].text if 0 <= place < len(self.all) else ""

    def is_name(self, place: int) -> bool:
        """Whether a name stands there."""
        return (
            0 <= place < len(self.all)
            and self.all[place].kind == "word"
            and self.all[place].text not in KEYWORDS
        )

    def outermost(self) -> Iterator[int]:
        """Places outside of all brackets, opening ones included."""
        place = 0
        while place < len(self.all):
            yield place
            place = self.partners.get(place, place) + 1

    def is_start(self, place: int) -> bool:
        """Whether a statement begins there, at the outermost level."""
        before, token = self.word(place - 1), self.all[place]
        if place == 0 or before == ";":
            return True
        if before == "}" and token.kind == "word":
            return token.text not in _BEHIND_BLOCKS
        is_open = before in GOES_ON or before in _BEFORE_OPERANDS
        return token.is_after_line and not is_open and token.text not in GOES_ON

    def import_end(self, place: int) -> int:
        """The last token of an import, or of an export of names, that begins there."""
        while place + 1 < len(self.all):
            place = self.partners.get(place, place)
            following = self.word(place + 1)
            if self.word(place) == ";" or not following:
                return place
            is_complete = self.all[place].kind == "text" or self.word(place) == "}"
            if is_complete and following not in (";", "from", "with", "assert"):
                return place
            place += 1
        return place


KEYWORDS = frozenset(
    "await break case catch class const continue debugger default delete do else enum export "
    "extends false finally for function if import in instanceof let new null return static super "
    "switch this throw true try typeof var void while with yield".split()
)
#: what goes on with an expression that is complete
GOES_ON = frozenset(
    ". ?. ? : + - * / % ** && || ?? == === != !== < > <= >= = , ( [ & | ^ in instanceof =>".split()
)
#: words that go on with a statement whose last part is in braces
_BEHIND_BLOCKS = frozenset("from as else catch finally while in of instanceof".split())
#: a slash behind one of these begins a regular expression
_BEFORE_OPERANDS = frozenset(
    "return typeof case in of delete void throw new else do instanceof await yield".split()
)
#: and behind the parenthesis of one of these
_BEFORE_STATEMENTS = frozenset("if while for with".split())
#: signs and words before a brace that begins an object
_BEFORE_OBJECTS = frozenset("( [ , = ? & | ! + - * / % < > ~ ^ :".split()) | _BEFORE_OPERANDS - {
    "else",
    "do",
}
_PAIRS = {")": "(", "]": "[", "}": "{"}
_TOKEN = re.compile(
    r"(?P<space>[\s\ufeff]+)"
    r"|(?P<comment>//[^\n\r\u2028\u2029]*|/\*.*?\*/)"
    r"|(?P<text>'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\")"
    r"|(?P<number>(?:0[xXbBoO][\da-fA-F_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)n?)"
    r"|(?P<word>[#@]?[^\W\d]?(?:[\w$\u200c\u200d]|\\u\w{4}|\\u\{\w+\})+)"
    r"|(?P<sign>=>|\.\.\.|\?\.(?!\d)|>>>=?|\*\*=?|[=!]==?|<<=?|>>=?|<=|>=|&&=?|\|\|=?|\?\?=?"
    r"|\+\+|--|[-+*%&|^]=?|[=<>!~?:,;.(\[{)\]}])",
    re.DOTALL,
)
_EXPRESSION = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*")
_SHEBANG = re.compile(r"\ufeff?#![^\n]*")


def read(text: str) -> Tokens:
    """All tokens of a text. Raises FormatError."""
    reader = _Reader(text)
    reader.read(0, is_inner=False)
    return Tokens(text, reader.tokens, reader.comments, reader.partners)


class _Reader:
    """Reads one text, or what a template holds between its braces."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.tokens: list[Token] = []
        self.comments: list[tuple[int, int]] = []
        self.partners: dict[int, int] = {}
        self._open: list[int] = []
        #: of each open brace whether it is an object's; what the last closed one was
        self._objects: list[bool] = []
        self._was_object = False
        self._is_after_line = False

    def read(self, place: int, *, is_inner: bool) -> int:
        """Read on from a place; the end, or of what is inner the place of its last brace."""
        shebang = _SHEBANG.match(self._text) if place == 0 else None
        if shebang is not None:
            self.comments.append(shebang.span())
            place = shebang.end()
        while place < len(self._text):
            if is_inner and not self._open and self._text[place] == "}":
                return place
            place = self._one(place)
        if self._open or is_inner:
            raise FormatError("a bracket is never closed")
        return place

    def _one(self, place: int) -> int:
        first = self._text[place]
        if first == "`":
            return self._add("template", place, self._template_end(place + 1))
        found = _TOKEN.match(self._text, place)
        if found is None and first == "/":
            return self._slash(place)
        if found is None:
            raise FormatError(f"nothing begins with {first!r}")
        kind = found.lastgroup or ""
        if kind == "space":
            self._is_after_line |= "\n" in found[0]
        elif kind == "comment":
            self.comments.append(found.span())
            self._is_after_line |= "\n" in found[0]
        else:
            self._pair(kind, found[0])
            self._add(kind, place, found.end())
        return found.end()

    def _add(self, kind: str, start: int, end: int) -> int:
        text = self._text[start:end]
        self.tokens.append(Token(kind, text, start, end, self._is_after_line))
        self._is_after_line = False
        return end

    def _pair(self, kind: str, text: str) -> None:
        if kind != "sign":
            return
        if text in ("(", "[", "{"):
            self._open.append(len(self.tokens))
            self._objects.append(text == "{" and self._last() in _BEFORE_OBJECTS)
        elif text in _PAIRS:
            if not self._open or self.tokens[self._open[-1]].text != _PAIRS[text]:
                raise FormatError(f"a {text} closes nothing")
            self.partners[self._open.pop()] = len(self.tokens)
            self._was_object = self._objects.pop()

    def _last(self) -> str:
        return self.tokens[-1].text if self.tokens else ""

    def _slash(self, place: int) -> int:
        if self._is_expression_next():
            found = _EXPRESSION.match(self._text, place)
            if found is None:
                raise FormatError("a regular expression is never closed")
            return self._add("expression", place, found.end())
        end = place + 2 if self._text.startswith("/=", place) else place + 1
        return self._add("sign", place, end)

    def _is_expression_next(self) -> bool:
        if not self.tokens:
            return True
        last = self.tokens[-1]
        if last.kind == "word":
            is_property = len(self.tokens) > 1 and self.tokens[-2].text in (".", "?.")
            return last.text in _BEFORE_OPERANDS and not is_property
        if last.text == ")":
            opener = max((o for o, c in self.partners.items() if c == len(self.tokens) - 1))
            return opener > 0 and self.tokens[opener - 1].text in _BEFORE_STATEMENTS
        if last.text == "}":
            return not self._was_object
        return last.kind == "sign" and last.text not in ("]", "++", "--")

    def _template_end(self, place: int) -> int:
        while place < len(self._text):
            if self._text[place] == "\\":
                place += 2
            elif self._text[place] == "`":
                return place + 1
            elif self._text.startswith("${", place):
                place = _Reader(self._text).read(place + 2, is_inner=True) + 1
            else:
                place += 1
        raise FormatError("a template is never closed")

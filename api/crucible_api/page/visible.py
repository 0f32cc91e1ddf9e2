"""Text of a model as a page shows it: what a screen would hide or obey becomes a mark one can read.

A mark is text, like ⟦U+202E⟧: nothing here makes markup, and templates escape all of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: characters of one text on a page; more is cut, and can be downloaded
SHOWN = 60_000

#: - controls but for tab and line feed, both sets of them
#: - what reverses or isolates the order of text (CVE-2021-42574), joins, or has no width
#: - spaces that are none of Python's, and letters that draw nothing
#: - tags and selectors, which can carry a text nobody sees
#: - halves of surrogate pairs and noncharacters, which no page can hold
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f"
    "\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufeff\uffa0\ufff0-\uffff"
    "\ud800-\udfff\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A text, or its beginning."""

    text: str
    #: characters of the whole
    length: int
    #: how many characters a mark stands for
    marks: int

    @property
    def is_cut(self) -> bool:
        """Whether more of it is not shown."""
        return self.length > SHOWN


def visible(text: str) -> str:
    """The text with a mark for every character that a screen would hide or obey."""
    # the ends of lines on Windows deceive nobody
    return _HIDDEN.sub(_mark, text.replace("\r\n", "\n"))


def shown(text: str) -> Shown:
    """The beginning of a text, made visible."""
    found, marks = _HIDDEN.subn(_mark, text[:SHOWN].replace("\r\n", "\n"))
    return Shown(found, len(text), marks)


def _mark(found: re.Match[str]) -> str:
    return f"\u27e6U+{ord(found[0]):04X}\u27e7"

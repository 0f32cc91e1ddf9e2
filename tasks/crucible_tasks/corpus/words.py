"""The words of a text: identifiers, keywords, numbers and plain words, in lower case.

Punctuation, layout and the case of letters do not enter, so a text that was only formatted anew has
the same words. Everything that compares texts here compares these.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a text and where each begins."""

    text: str
    words: tuple[str, ...]
    #: characters from the beginning of the text
    places: tuple[int, ...]

    def line_of(self, index: int) -> int:
        """The line, from 1, on which a word begins."""
        return self.text.count("\n", 0, self.places[index]) + 1

    def runs(self, length: int) -> list[tuple[str, ...]]:
        """So many consecutive words, at every place; the whole where there are fewer."""
        if len(self.words) <= length:
            return [self.words] if self.words else []
        return [self.words[i : i + length] for i in range(len(self.words) - length + 1)]


def words_of(text: str) -> Words:
    """Find the words of a text."""
    found = list(_WORD.finditer(text))
    return Words(
        text,
        tuple(match.group().lower() for match in found),
        tuple(match.start() for match in found),
    )

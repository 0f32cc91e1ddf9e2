"""The words of a text: identifiers, keywords, numbers and plain words, in lower case.

Punctuation, layout and the case of letters do not enter, so a text that was only formatted anew has
the same words. Everything that compares texts here compares these.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a text, in order."""

    text: str
    words: tuple[str, ...]

    def lines_of(self, indexes: Sequence[int]) -> list[int]:
        """The lines, from 1, on which these words begin; the indexes ascend."""
        # looked for again, because hardly any text is ever asked
        places = [match.start() for match in _WORD.finditer(self.text)]
        lines, counted, line = [], 0, 1
        for index in indexes:
            line += self.text.count("\n", counted, places[index])
            counted = places[index]
            lines.append(line)
        return lines

    def runs(self, length: int) -> list[tuple[str, ...]]:
        """So many consecutive words, at every place; the whole where there are fewer."""
        if len(self.words) <= length:
            return [self.words] if self.words else []
        return [self.words[i : i + length] for i in range(len(self.words) - length + 1)]


def words_of(text: str) -> Words:
    """Find the words of a text."""
    return Words(text, tuple(map(str.lower, _WORD.findall(text))))

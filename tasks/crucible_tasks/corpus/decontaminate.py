"""Takes out of a text what overlaps a challenge: the function, or the file where it must be.

The function and not the file, because the functions of a private benchmark lie all over the tree
whose style is to be learned: dropping 50 files for 50 functions would leave little to learn from.
What is left is looked at again, and a file that still overlaps is dropped. So is one that cannot be
cut by statements: any language but Python and JavaScript, and Python of another version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from crucible_tasks.corpus import javascript_functions
from crucible_tasks.corpus.cut import Cut, Lines, cut
from crucible_tasks.corpus.functions import parsed
from crucible_tasks.corpus.javascript_functions import JAVASCRIPT
from crucible_tasks.corpus.languages import PYTHON
from crucible_tasks.corpus.report import Removed
from crucible_tasks.corpus.screen import Match, Screen
from crucible_tasks.corpus.sources import Source

#: cuts; a second one is needed where a first one brought two texts together
_MOST_CUTS = 3


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A text without overlaps, and what was found in it."""

    #: None when the whole file must go
    text: str | None
    removed: tuple[Removed, ...]


def cleaned(source: Source, screen: Screen) -> Cleaned:
    """The source's text without anything that overlaps a challenge."""
    lines = source.text.count("\n") + 1
    left = Cut(source.text, tuple(range(1, lines + 1)))
    removed: list[Removed] = []
    for _ in range(_MOST_CUTS):
        matches = screen.matches(left.text, source.language)
        if not matches:
            return Cleaned(left.text, tuple(removed))
        removed += [_removed(source.path, left.numbers, match) for match in matches]
        again = _without(source.language, left, matches)
        if again is None:
            break
        left = again
    return Cleaned(None, tuple(removed))


def _without(language: str, left: Cut, matches: Sequence[Match]) -> Cut | None:
    unwanted = [Lines(match.first_line, match.last_line) for match in matches]
    if language == JAVASCRIPT and (tokens := javascript_functions.parsed(left.text)) is not None:
        done = javascript_functions.cut(tokens, unwanted)
    elif language == PYTHON and (tree := parsed(left.text)) is not None:
        done = cut(left.text, tree, unwanted)
    else:
        return None
    return Cut(done.text, tuple(left.numbers[number - 1] for number in done.numbers))


def _removed(path: str, numbers: tuple[int, ...], match: Match) -> Removed:
    first, last = numbers[match.first_line - 1], numbers[match.last_line - 1]
    return Removed(path, first, last, match.dataset, match.task_id, match.rule)

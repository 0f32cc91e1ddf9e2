"""Instruction pairs from a repository's history: what a commit says, and what it made of a file.

The instruction holds the message and the lines as they were, the answer the same lines as they
became. Only small changes of files that are documents of the corpus count, and both whole versions
of the file pass the same checks as a file of the tree: an old version may hold a secret or a
challenge that the present one does not.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crucible_tasks.corpus import git
from crucible_tasks.corpus.corpus import Document, Pair
from crucible_tasks.corpus.git import Change, NoHistory

#: words in the first line of a message: `fix`, `wip` and `bump version` ask for nothing
_LEAST_WORDS = 3

#: files: a message about more of them does not say what becomes of this one
_MOST_FILES = 5

#: bytes of a file; comparing takes time that grows with its square
_MOST_BYTES = 2**17

#: lines that a pair may show, and around each change
_MOST_LINES = 80
_CONTEXT = 3

#: who wrote and reviewed it is nobody's instruction
_TRAILER = re.compile(r"^[A-Z][A-Za-z-]+(-by|-Id|-Url|-On): .*$", re.MULTILINE)

#: between two places of one file
_GAP = "\n…\n"


@dataclass(frozen=True, slots=True)
class History:
    """What a history gave."""

    pairs: tuple[Pair, ...]
    #: why there are none, where something was missing
    note: str = ""


def commit_pairs(
    directory: Path,
    documents: Mapping[str, Document],
    most_commits: int,
    is_clean: Callable[[str, str], bool],
) -> History:
    """The pairs of the latest commits, the latest first.

    `is_clean` says of a path and a text whether they may be trained on.
    """
    found = git.changes(directory, most_commits)
    if isinstance(found, NoHistory):
        return History((), f"no pairs from commits: {found.reason}")
    wanted = [change for change in found if _is_telling(change) and change.path in documents]
    ids = sorted({one for change in wanted for one in (change.before, change.after)})
    held = git.contents(directory, ids, _MOST_BYTES)
    return History(tuple(_pairs(wanted, documents, held, is_clean)))


def _pairs(
    wanted: Sequence[Change],
    documents: Mapping[str, Document],
    held: Mapping[str, bytes],
    is_clean: Callable[[str, str], bool],
) -> Iterator[Pair]:
    for change in wanted:
        before, after = _text(held.get(change.before)), _text(held.get(change.after))
        if before is None or after is None:
            continue
        pair = _pair(documents[change.path], change, before, after)
        if pair and all(is_clean(change.path, text) for text in (change.message, before, after)):
            yield pair


def _pair(document: Document, change: Change, before: str, after: str) -> Pair | None:
    was, became = before.split("\n"), after.split("\n")
    groups = list(difflib.SequenceMatcher(None, was, became).get_grouped_opcodes(_CONTEXT))
    spans = [(group[0][1], group[-1][2], group[0][3], group[-1][4]) for group in groups]
    shown = sum(span[1] - span[0] + span[3] - span[2] for span in spans)
    if not spans or shown > _MOST_LINES:
        return None
    old = _GAP.join("\n".join(was[first:last]) for first, last, _, _ in spans)
    new = _GAP.join("\n".join(became[first:last]) for _, _, first, last in spans)
    instruction = f"{_message(change)}\n\n{change.path}:\n\n{old}"
    return Pair(document.path, instruction, new, document.part)


def _is_telling(change: Change) -> bool:
    words = _message(change).partition("\n")[0].split()
    return len(words) >= _LEAST_WORDS and change.breadth <= _MOST_FILES


def _message(change: Change) -> str:
    return _TRAILER.sub("", change.message).strip()


def _text(content: bytes | None) -> str | None:
    if content is None or b"\0" in content:
        return None
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None

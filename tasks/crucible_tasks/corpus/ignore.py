"""Which paths a tree's own `.gitignore` and `.crucibleignore` files leave out.

Git's rules: the deepest file speaks first, in it the last pattern that fits, `!` takes back, and
nothing below an ignored directory can be taken back. A `.crucibleignore` has the same form and goes
before every `.gitignore`, so `!src/generated.py` brings back what git does not track; it also
brings back what would else be dropped as vendored or generated.

Only files of the tree count. `.git/info/exclude` and a user's own excludes are not part of it, so
they would make two checkouts of one commit give two corpora.
"""

from __future__ import annotations

import codecs
import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from crucible_infra.errors import FormatError, InvalidInput
from crucible_tasks.corpus.regular_file import Unread, read_regular

GIT = ".gitignore"
OURS = ".crucibleignore"

#: of an ignore file; the longest published ones have 100 KiB
_MOST_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class _Patterns:
    """The patterns of one ignore file, the last one first."""

    #: of its directory, with a slash at the end unless it is the root
    prefix: str
    for_files: tuple[GitIgnoreSpecPattern, ...]
    #: without the slash at the end that asks for a directory: only directories are shown to it
    for_directories: tuple[GitIgnoreSpecPattern, ...]

    def decide(self, path: str, *, is_directory: bool) -> bool | None:
        below = _as_bytes(path.removeprefix(self.prefix))
        for pattern in self.for_directories if is_directory else self.for_files:
            if _fits(pattern, below):
                return pattern.include
        return None


@dataclass(frozen=True, slots=True)
class Rules:
    """The ignore files that hold at one place of a tree, the strongest first."""

    ours: tuple[_Patterns, ...] = field(default=())
    git: tuple[_Patterns, ...] = field(default=())

    def entered(self, directory: Path, prefix: str) -> Rules:
        """The rules inside a directory, whose path in the tree is `prefix`.

        Raises FormatError naming file and line when its `.crucibleignore` cannot be used, and
        InvalidInput when that one cannot be read.
        """
        ours = _strict(directory / OURS, prefix)
        git = _lenient(directory / GIT, prefix)
        if ours is None and git is None:
            return self
        return Rules(
            (ours, *self.ours) if ours else self.ours, (git, *self.git) if git else self.git
        )

    def decide(self, path: str, *, is_directory: bool) -> bool | None:
        """True is ignored, False is taken back by a `!` pattern, None is not spoken of."""
        for patterns in (*self.ours, *self.git):
            decision = patterns.decide(path, is_directory=is_directory)
            if decision is not None:
                return decision
        return None


def _strict(path: Path, prefix: str) -> _Patterns | None:
    content = read_regular(path, _MOST_BYTES)
    if isinstance(content, Unread):
        # a missing file is the usual case; `lexists` beforehand would be a second look
        if not os.path.lexists(path):
            return None
        problem = content.detail or content.reason.replace("_", " ")
        raise InvalidInput(f"{prefix}{OURS}: cannot be read: {problem}")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        place = content.count(b"\n", 0, error.start) + 1
        raise FormatError.at(f"{prefix}{OURS}", place, "is not UTF-8") from error
    lines = _lines(content)
    for number, line in enumerate(lines, start=1):
        if not _is_usable(line):
            shown = line.strip().encode("latin-1").decode()
            raise FormatError.at(f"{prefix}{OURS}", number, f"{shown!r} is no pattern")
    return _patterns(prefix, lines)


def _lenient(path: Path, prefix: str) -> _Patterns | None:
    """As git reads it: what is no pattern is passed over."""
    content = read_regular(path, _MOST_BYTES)
    if isinstance(content, Unread):
        return None
    return _patterns(prefix, [line for line in _lines(content) if _is_usable(line)])


def _lines(content: bytes) -> list[str]:
    return content.removeprefix(codecs.BOM_UTF8).decode("latin-1").split("\n")


def _as_bytes(path: str) -> str:
    """One letter per byte, because git's `?` fits one byte."""
    return path.encode().decode("latin-1")


def _is_usable(line: str) -> bool:
    text = line.strip()
    if not text or text.startswith("#"):
        return True
    pattern = _compiled(line)
    # pathspec makes nothing of a character range that makes no sense, as git does
    return pattern is not None and pattern.include is not None


def _patterns(prefix: str, lines: Sequence[str]) -> _Patterns:
    directories = [line.rstrip().removesuffix("/") for line in lines]
    return _Patterns(prefix, _last_first(lines), _last_first(directories))


def _last_first(lines: Sequence[str]) -> tuple[GitIgnoreSpecPattern, ...]:
    made = [_compiled(line) for line in reversed(lines)]
    return tuple(pattern for pattern in made if pattern and pattern.include is not None)


def _compiled(line: str) -> GitIgnoreSpecPattern | None:
    try:
        # `[[a]` is a fine pattern, whatever the regular expressions of later Pythons will think
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return GitIgnoreSpecPattern(line)
    except (ValueError, re.error):
        return None


def _fits(pattern: GitIgnoreSpecPattern, path: str) -> bool:
    """Whether it speaks of this path itself.

    pathspec also says yes to whatever lies below a directory that fits, and marks that with a named
    group. Directories are decided on their way down, so here it would be a wrong yes: `!src` takes
    back `src`, and not a file in it that another pattern ignores.
    """
    found = pattern.match_file(path)
    return found is not None and not any(found.match.groupdict().values())

"""Finds the files of a tree that may be somebody's own source code, in an order of its own.

Nothing outside the tree is reached: symbolic links are not followed, whether they lead to files or
to directories. Directories that git ignores, that hold other people's code by their name, or that
are repositories of their own are not entered; the report has one line for each, ending in a slash.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from crucible_infra.errors import InvalidInput
from crucible_tasks.corpus.ignore import Rules
from crucible_tasks.corpus.report import Dropped, Reason

#: what version control systems keep for themselves; no part of the tree, so not reported
_VERSION_CONTROL = frozenset((".git", ".hg", ".svn", ".jj", ".bzr", "CVS"))

#: names that package managers and habit give to other people's code, and to what tools build
VENDORED = frozenset(
    (
        "node_modules bower_components jspm_packages vendor vendored _vendor _vendored third_party "
        "third-party thirdparty 3rdparty site-packages dist-packages venv .venv virtualenv .tox "
        ".nox .eggs __pycache__ .mypy_cache .ruff_cache .pytest_cache .gradle .cargo Pods Carthage"
    ).split()
)

#: built, but only at the root: `build` is an honest name for a package further down
_BUILT_AT_ROOT = frozenset(("build", "dist", "target", "out"))

_BUILT_SUFFIXES = (".egg-info", ".dist-info")


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file that no rule leaves out."""

    #: below the tree, with slashes
    path: str
    size: int
    #: a `!` pattern asks for it, so no guess may drop it
    is_wanted: bool


@dataclass(slots=True)
class Tree:
    """What a walk has met."""

    files: list[Found] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    #: regular files, those of directories that were not entered left out
    met: int = 0


@dataclass(frozen=True, slots=True)
class _Directory:
    prefix: str
    rules: Rules


def walk(root: Path) -> Tree:
    """Every file below a directory that may enter a corpus, by path.

    Raises InvalidInput when it is no directory or cannot be read, FormatError for a
    `.crucibleignore` that cannot be used.
    """
    _check(root)
    tree = Tree()
    waiting = [_Directory("", Rules())]
    while waiting:
        here = waiting.pop()
        try:
            entries = sorted(os.scandir(root / here.prefix), key=lambda entry: entry.name)
        except OSError as error:
            if not here.prefix:
                raise InvalidInput(f"{root}: cannot be read: {error.strerror}") from error
            tree.dropped.append(Dropped(here.prefix, Reason.UNREADABLE, error.strerror or ""))
            continue
        rules = here.rules.entered(root / here.prefix, here.prefix)
        inside = _Directory(here.prefix, rules)
        waiting += [below for entry in entries for below in _met(tree, inside, entry)]
    tree.files.sort(key=lambda found: found.path)
    tree.dropped.sort(key=lambda entry: entry.path)
    return tree


def _check(root: Path) -> None:
    try:
        mode = root.stat().st_mode
    except OSError as error:
        raise InvalidInput(f"{root}: {(error.strerror or 'cannot be read').lower()}") from error
    if not stat.S_ISDIR(mode):
        raise InvalidInput(f"{root}: is not a directory")


def _met(tree: Tree, here: _Directory, entry: os.DirEntry[str]) -> Iterator[_Directory]:
    """Keep or drop a file; give back a directory that is to be entered."""
    path = here.prefix + entry.name
    if entry.name in _VERSION_CONTROL:
        return
    if not _is_utf8(entry.name):
        shown = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        tree.dropped.append(Dropped(shown, Reason.UNUSABLE_NAME))
    elif entry.is_symlink():
        tree.dropped.append(Dropped(path, Reason.SYMBOLIC_LINK))
    elif entry.is_dir(follow_symlinks=False):
        reason = _why_not_entered(here, entry, path)
        if reason is None:
            yield _Directory(f"{path}/", here.rules)
        else:
            tree.dropped.append(Dropped(f"{path}/", reason))
    else:
        _meet_file(tree, here.rules, entry, path)


def _meet_file(tree: Tree, rules: Rules, entry: os.DirEntry[str], path: str) -> None:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as error:
        tree.dropped.append(Dropped(path, Reason.UNREADABLE, error.strerror or ""))
        return
    if not stat.S_ISREG(status.st_mode):
        tree.dropped.append(Dropped(path, Reason.NOT_A_FILE))
        return
    tree.met += 1
    decision = rules.decide(path, is_directory=False)
    if decision:
        tree.dropped.append(Dropped(path, Reason.IGNORED))
    else:
        tree.files.append(Found(path, status.st_size, is_wanted=decision is False))


def _why_not_entered(here: _Directory, entry: os.DirEntry[str], path: str) -> Reason | None:
    decision = here.rules.decide(path, is_directory=True)
    if decision:
        return Reason.IGNORED
    if decision is False:
        return None
    if entry.name in VENDORED or entry.name.endswith(_BUILT_SUFFIXES):
        return Reason.VENDORED
    if not here.prefix and entry.name in _BUILT_AT_ROOT:
        return Reason.VENDORED
    # a submodule has a file there, a clone a directory
    if os.path.lexists(os.path.join(entry.path, ".git")):  # noqa: PTH118 -- for each directory
        return Reason.OTHER_REPOSITORY
    return None


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True

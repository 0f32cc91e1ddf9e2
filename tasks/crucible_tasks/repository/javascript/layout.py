"""Which files of a repository are JavaScript, and which of those hold its tests.

The names are those that `node --test` looks for; what else serves tests is told by its folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from crucible_tasks.repository.snapshot import Snapshot

MANIFEST = "package.json"
_ENDINGS = (".js", ".cjs", ".mjs")
_NAME_OF_TEST = re.compile(r"(?:.*[._-]test|test-.*|test)\.[cm]?js")
_FOLDERS_OF_TESTS = frozenset("test tests __tests__ spec specs __mocks__ fixtures".split())
#: written by a tool from what stands elsewhere
_MADE = (".min.js", ".bundle.js")


def files_of_tests(snapshot: Snapshot) -> tuple[str, ...]:
    """Files that `node --test` would run."""
    return tuple(path for path in snapshot.files if _is_run(path))


def modules(snapshot: Snapshot) -> Iterator[str]:
    """JavaScript files that are neither tests nor made from others."""
    return (path for path in snapshot.files if _is_module(path))


def is_for_tests(path: str) -> bool:
    """Whether a file of any kind holds tests or serves them."""
    *folders, name = PurePosixPath(path).parts
    return bool(_FOLDERS_OF_TESTS & set(folders)) or bool(_NAME_OF_TEST.fullmatch(name))


def is_made(path: str) -> bool:
    """Whether a file is made from others, so that it may hold a copy of what they hold."""
    return path.endswith((*_MADE, ".map"))


def manifest(snapshot: Snapshot) -> dict[str, Any]:
    """What package.json says; nothing where there is none that can be read."""
    try:
        found = json.loads(snapshot.files.get(MANIFEST, b"{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_run(path: str) -> bool:
    *folders, name = PurePosixPath(path).parts
    if not name.endswith(_ENDINGS):
        return False
    return "test" in folders or _NAME_OF_TEST.fullmatch(name) is not None


def _is_module(path: str) -> bool:
    return path.endswith(_ENDINGS) and not is_for_tests(path) and not is_made(path)

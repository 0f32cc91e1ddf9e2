"""Which files of a repository a JavaScript module brings in by itself."""

from __future__ import annotations

import posixpath
from itertools import pairwise

from crucible_infra.errors import FormatError
from crucible_tasks.repository.javascript.layout import is_for_tests
from crucible_tasks.repository.javascript.tokens import read
from crucible_tasks.repository.snapshot import Snapshot

#: how a file may be meant that is not named in full
_GUESSES = ("", ".js", ".cjs", ".mjs", "/index.js", "/index.cjs", "/index.mjs")


def relatives(snapshot: Snapshot, path: str, text: str) -> list[str]:
    """The module itself, and those that it names by a relative path."""
    found = [path]
    try:
        tokens = read(text).all
    except FormatError:
        return found
    for before, token in pairwise(tokens):
        is_named = before.text in ("from", "import", "(") and token.kind == "text"
        name = token.text[1:-1]
        if is_named and name.startswith("."):
            wanted = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
            each = next((wanted + end for end in _GUESSES if wanted + end in snapshot.files), None)
            if each is not None and not is_for_tests(each) and each not in found:
                found.append(each)
    return [each for each in found if each.endswith((".js", ".cjs", ".mjs"))]

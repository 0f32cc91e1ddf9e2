"""Which licences a tree's files hold or declare, as far as their wording tells."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from crucible_tasks.corpus.languages import by_name
from crucible_tasks.corpus.report import LicenceFound

UNKNOWN = "unknown"

#: of a licence file; the longest common one has 35 KiB
MOST_BYTES = 2**18

#: of a source file, where a header stands
_HEAD_LINES = 40

_FILE = re.compile(
    r"(un|mit-|apache-)?licen[cs]es?|copying(\.lesser)?|notice|copyright", re.IGNORECASE
)

_SPDX = re.compile(r"SPDX-License-Identifier:\s*([A-Za-z0-9.+() -]*[A-Za-z0-9.+)])")

#: the first that fits is it; the narrower wording stands before the wider one
_WORDINGS = tuple(
    (name, re.compile(wording.replace(" ", r"[\s#*/;-]+"), re.IGNORECASE | re.DOTALL))
    for name, wording in (
        ("AGPL-3.0", r"GNU Affero General Public License"),
        ("LGPL-3.0", r"GNU Lesser General Public License.{0,80}version 3"),
        ("LGPL-2.1", r"GNU (Lesser|Library) General Public License"),
        ("GPL-3.0", r"GNU General Public License.{0,80}version 3"),
        ("GPL-2.0", r"GNU General Public License"),
        ("Apache-2.0", r"Apache License,? Version 2\.0"),
        ("MPL-2.0", r"Mozilla Public License,?( Version| v\.)? 2\.0"),
        ("BSD-3-Clause", r"Neither the names? of .{1,200} may be used to endorse"),
        ("BSD-2-Clause", r"Redistribution and use in source and binary forms"),
        ("ISC", r"Permission to use, copy, modify, and(/or)? distribute this software"),
        ("MIT", r"Permission is hereby granted, free of charge|\bMIT license\b"),
        ("Unlicense", r"This is free and unencumbered software"),
        ("PSF-2.0", r"Python Software Foundation License"),
    )
)


def is_licence_file(path: str) -> bool:
    """Whether a file is a licence by its name: LICENSE, COPYING.txt, LICENSE-MIT."""
    if by_name(path) is not None:
        return False
    stem = PurePosixPath(path).name.partition(".")[0].partition("-")[0]
    return bool(_FILE.fullmatch(stem) or _FILE.fullmatch(PurePosixPath(path).name))


def licence_of_file(path: str, text: str) -> LicenceFound:
    """What a licence file holds."""
    return LicenceFound(path, _name(text) or UNKNOWN, is_file=True)


def licence_of_header(path: str, text: str) -> LicenceFound | None:
    """What the head of a source file declares; None when it declares nothing."""
    head = "\n".join(text.split("\n", _HEAD_LINES)[:_HEAD_LINES])
    declared = _SPDX.search(head)
    name = declared[1].strip() if declared else _name(head)
    return LicenceFound(path, name, is_file=False) if name else None


def _name(text: str) -> str | None:
    return next((name for name, wording in _WORDINGS if wording.search(text)), None)

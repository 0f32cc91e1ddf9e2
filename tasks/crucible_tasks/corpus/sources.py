"""Reads the files a walk has found; keeps those a person wrote in a language known here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from crucible_tasks.corpus import handwritten, languages, licences
from crucible_tasks.corpus.regular_file import Unread, read_regular
from crucible_tasks.corpus.report import Dropped, LicenceFound, Reason
from crucible_tasks.corpus.walk import Found


@dataclass(frozen=True, slots=True)
class Source:
    """A file worth looking at: text, in a language, by a person."""

    path: str
    language: str
    #: without a byte order mark, its lines ended by LF alone
    text: str


@dataclass(slots=True)
class Read:
    """What came of reading."""

    sources: list[Source] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    licences: list[LicenceFound] = field(default_factory=list)
    #: over the paths and contents of everything that was read as source
    origin: str = ""


def read_sources(
    root: Path, files: list[Found], most_bytes: int, tell: Callable[[int], None]
) -> Read:
    """Read every file; `tell` hears how many were."""
    read = Read()
    digest = hashlib.sha256()
    for number, found in enumerate(files):
        tell(number)
        if licences.is_licence_file(found.path):
            _read_licence(read, root, found)
            continue
        content = _content(root, found, most_bytes)
        if isinstance(content, Unread):
            read.dropped.append(Dropped(found.path, content.reason, content.detail))
            continue
        digest.update(f"{hashlib.sha256(content).hexdigest()} {found.path}\0".encode())
        _keep(read, found, content)
    read.origin = f"sha256:{digest.hexdigest()}"
    return read


def _content(root: Path, found: Found, most_bytes: int) -> bytes | Unread:
    is_known = languages.by_name(found.path) is not None
    if not is_known and not languages.may_be_script(found.path):
        return Unread(Reason.NOT_SOURCE)
    # a sparse file may claim a gigabyte: its size is known before a byte is read
    if found.size > most_bytes:
        return Unread(Reason.TOO_LARGE, f"{found.size} bytes")
    content = read_regular(root / found.path, most_bytes)
    if is_known or isinstance(content, Unread) or content.startswith(b"#!"):
        return content
    return Unread(Reason.NOT_SOURCE)


def _keep(read: Read, found: Found, content: bytes) -> None:
    text = _text(content)
    if isinstance(text, Unread):
        read.dropped.append(Dropped(found.path, text.reason, text.detail))
        return
    language = languages.by_name(found.path) or languages.by_first_line(text)
    reason = handwritten.why_not(found.path, text)
    if language is None:
        read.dropped.append(Dropped(found.path, Reason.NOT_SOURCE))
    elif reason is not None and not found.is_wanted:
        read.dropped.append(Dropped(found.path, reason))
    else:
        read.sources.append(Source(found.path, language, text))


def _text(content: bytes) -> str | Unread:
    if b"\0" in content:
        return Unread(Reason.BINARY)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Unread(Reason.NOT_UTF8, f"line {line}")
    # git may check a tree out with either ending, and a model needs only one
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read_licence(read: Read, root: Path, found: Found) -> None:
    content = read_regular(root / found.path, licences.MOST_BYTES)
    text = "" if isinstance(content, Unread) else content.decode(errors="replace")
    read.licences.append(licences.licence_of_file(found.path, text))
    read.dropped.append(Dropped(found.path, Reason.NOT_SOURCE, "a licence"))

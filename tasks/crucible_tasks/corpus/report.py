"""What a corpus' report says: counts, and the reason for everything that was left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a file, or a directory with everything below it, is not in the corpus."""

    #: by a `.gitignore` or a `.crucibleignore`
    IGNORED = "ignored"
    #: never followed: it may lead out of the tree, or around in it
    SYMBOLIC_LINK = "symbolic_link"
    #: a FIFO, a socket or a device, which nobody reads here
    NOT_A_FILE = "not_a_file"
    UNREADABLE = "unreadable"
    #: the name is not UTF-8, which no corpus can write
    UNUSABLE_NAME = "unusable_name"
    #: somebody else's code, by the name of its directory
    VENDORED = "vendored"
    #: a repository inside this one
    OTHER_REPOSITORY = "other_repository"
    #: no language this project knows, by its name
    NOT_SOURCE = "not_source"
    TOO_LARGE = "too_large"
    BINARY = "binary"
    NOT_UTF8 = "not_utf8"
    #: lines no person writes: minified code, or data in the shape of code
    MINIFIED = "minified"
    #: it says so itself, or its name does
    GENERATED = "generated"
    #: nothing to learn from
    TOO_SHORT = "too_short"
    #: it holds what must stay secret
    CONFIDENTIAL = "secret"
    #: it overlaps a benchmark, and what overlaps cannot be cut out of it
    CONTAMINATED = "contaminated"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    #: it holds most of a file that is kept for measuring
    HOLDS_HELD_OUT = "holds_held_out"


class Rule(StrEnum):
    """How an overlap with a challenge was found."""

    #: consecutive words in common
    WORDS = "words"
    #: the same function but for its names, layout, annotations and docstring
    SYNTAX = "syntax"
    #: a function most of whose words it shares
    NEAR_COPY = "near_copy"


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file that is not in the corpus; a directory's path ends in a slash."""

    path: str
    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SecretFound:
    """Where a secret lies and of which kind it is; never what it is."""

    path: str
    #: from 1
    line: int
    kind: str


@dataclass(frozen=True, slots=True)
class Removed:
    """Lines that overlapped a challenge and were cut out, or took their file with them."""

    path: str
    #: in the file as it lies in the tree, from 1, both ends included
    first_line: int
    last_line: int
    dataset: str
    task_id: str
    rule: Rule


@dataclass(frozen=True, slots=True)
class LicenceFound:
    """A licence that a file holds or declares."""

    path: str
    #: an SPDX identifier where it is known, else "unknown"
    licence: str
    #: whether the whole file is the licence, rather than its header naming one
    is_file: bool


@dataclass(frozen=True, slots=True)
class Screened:
    """A dataset whose challenges were looked for."""

    dataset: str
    digest: str
    challenges: int
    is_private: bool


@dataclass(frozen=True, slots=True)
class PartCount:
    """How much one part of a corpus holds."""

    documents: int = 0
    characters: int = 0
    pairs: int = 0


@dataclass(frozen=True, slots=True)
class CorpusReport:
    """What was read, what was kept, and why the rest was not."""

    #: regular files that no ignored, vendored or foreign directory hides
    files: int
    train: PartCount
    held_out: PartCount
    #: documents by language, the most frequent first
    languages: dict[str, int]
    dropped: tuple[Dropped, ...]
    secrets: tuple[SecretFound, ...]
    removed: tuple[Removed, ...]
    licences: tuple[LicenceFound, ...]
    screened: tuple[Screened, ...]
    #: what a reader should know beside the numbers
    notes: tuple[str, ...] = ()

    def dropped_by_reason(self) -> dict[Reason, int]:
        """How many entries each reason took, in the order of `Reason`."""
        counts = Counter(entry.reason for entry in self.dropped)
        return {reason: counts[reason] for reason in Reason if counts[reason]}

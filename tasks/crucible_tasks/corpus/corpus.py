"""A corpus' values, and its form as a file: JSON Lines, the same corpus always the same bytes.

The first line holds the origin and the report, then comes one line per document and one per pair:

    {"corpus": {"format": 1, "origin": …, "report": {…}}}
    {"document": {"path": …, "language": …, "text": …, "part": "train"}}
    {"pair": {"path": …, "instruction": …, "answer": …, "part": "held_out"}}

A corpus' digest is the sha256 of these bytes, so it covers the report as well: what was left out
is a part of what a model was trained on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from crucible_infra.errors import FormatError
from crucible_tasks.corpus.report import CorpusReport

#: of the file; another one is refused
FORMAT = 1


class Part(StrEnum):
    """What a document is for."""

    TRAIN = "train"
    #: never trained on: tells when to stop, and how well the rest is predicted
    HELD_OUT = "held_out"


@dataclass(frozen=True, slots=True)
class Document:
    """One source file, or what is left of it: an example for predicting the next token."""

    #: below the tree, with slashes
    path: str
    language: str
    text: str
    part: Part


@dataclass(frozen=True, slots=True)
class Pair:
    """An instruction and its answer, taken from a docstring or a commit."""

    path: str
    instruction: str
    answer: str
    #: that of the document at the same path
    part: Part


@dataclass(frozen=True, slots=True)
class Corpus:
    """Training examples from one tree."""

    #: what was read: a digest over the paths and contents of the tree's source files
    origin: str
    documents: tuple[Document, ...]
    pairs: tuple[Pair, ...]
    report: CorpusReport


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    origin: str
    report: CorpusReport


class _Line(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    corpus: _Head | None = None
    document: Document | None = None
    pair: Pair | None = None


class _Version(msgspec.Struct, frozen=True):
    format: int


class _First(msgspec.Struct, frozen=True):
    """Only as much of the first line as says what the rest is."""

    corpus: _Version


def encode(corpus: Corpus) -> bytes:
    """The corpus as JSON Lines; it ends in a newline."""
    encoder = msgspec.json.Encoder()
    return b"".join(encoder.encode(line) + b"\n" for line in _lines(corpus))


def digest(data: bytes) -> str:
    """What an encoded corpus is called in the artifact store."""
    return hashlib.sha256(data).hexdigest()


def decode(data: bytes) -> Corpus:
    """Read what `encode` wrote.

    Raises FormatError naming the line.
    """
    texts = data.split(b"\n")
    _check_version(texts[0])
    if texts[-1]:
        raise FormatError(f"line {len(texts)}: the corpus is cut off")
    lines = [_decoded(number, text) for number, text in enumerate(texts[:-1], start=1)]
    head = lines[0].corpus
    assert head is not None
    return Corpus(
        head.origin,
        tuple(line.document for line in lines if line.document),
        tuple(line.pair for line in lines if line.pair),
        head.report,
    )


def decode_report(data: bytes) -> CorpusReport:
    """Only the report of what `encode` wrote. Raises FormatError."""
    first = data.partition(b"\n")[0]
    _check_version(first)
    head = _decoded(1, first).corpus
    assert head is not None
    return head.report


def _lines(corpus: Corpus) -> Iterator[_Line]:
    yield _Line(corpus=_Head(FORMAT, corpus.origin, corpus.report))
    for document in corpus.documents:
        yield _Line(document=document)
    for pair in corpus.pairs:
        yield _Line(pair=pair)


def _check_version(text: bytes) -> None:
    try:
        found = msgspec.json.decode(text, type=_First).corpus.format
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"line 1: this is not a corpus ({error})") from error
    if found != FORMAT:
        raise FormatError(
            f"line 1: the corpus has format {found}, and this version reads {FORMAT}",
            hint="build it again with: crucible corpus build",
        )


def _decoded(number: int, text: bytes) -> _Line:
    try:
        line = msgspec.json.decode(text, type=_Line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"line {number}: {error}") from error
    held = [line.corpus, line.document, line.pair]
    if sum(item is not None for item in held) != 1 or (line.corpus is None) == (number == 1):
        raise FormatError(f"line {number}: neither a document nor a pair")
    return line

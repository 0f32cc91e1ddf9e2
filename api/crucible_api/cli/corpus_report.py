"""A corpus' report: a summary, every file that was left out, and one object for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from crucible_api.cli.output import Column, Voice, plural

if TYPE_CHECKING:
    from crucible_tasks.corpus.corpus import Corpus
    from crucible_tasks.corpus.report import CorpusReport, PartCount

DROPPED = (Column("left out"), Column("why", is_whole=True), Column("more", is_extra=True))

#: licences whose terms people ask about first stand in files; headers are only counted
_NAMED_LICENCES = 8

#: functions cut out that a summary names; a private benchmark lies all over its tree
_SUMMARISED_CUTS = 8


def as_object(corpus: Corpus) -> dict[str, object]:
    """The digest, the report, and what the corpus holds, without any text."""
    from crucible_tasks.corpus.corpus import digest, encode

    return {
        "digest": digest(encode(corpus)),
        "origin": corpus.origin,
        **asdict(corpus.report),
        "documents": [
            {
                "path": document.path,
                "language": document.language,
                "part": str(document.part),
                "characters": len(document.text),
            }
            for document in corpus.documents
        ],
    }


def show(corpus: Corpus, voice: Voice) -> None:
    """The whole report on stdout."""
    if voice.is_json:
        voice.data(as_object(corpus))
        return
    voice.answer("\n".join(_lines(corpus.report, len(corpus.report.removed))))
    rows = [
        [_printable(entry.path), str(entry.reason), _printable(entry.detail)]
        for entry in corpus.report.dropped
    ]
    if rows:
        voice.answer("")
        voice.table(DROPPED, rows)


def summary(corpus: Corpus) -> str:
    """What a person wants to know before training; `show` has all of it."""
    return "\n".join(_lines(corpus.report, _SUMMARISED_CUTS))


def _lines(report: CorpusReport, most_cuts: int) -> Iterator[str]:
    documents = report.train.documents + report.held_out.documents
    yield f"{plural(documents, 'document')} of {plural(report.files, 'file')}"
    yield f"  to train on  {_part(report.train)}"
    yield f"  held out     {_part(report.held_out)}"
    if report.languages:
        yield f"languages: {_counted(report.languages)}"
    left_out = {str(reason): count for reason, count in report.dropped_by_reason().items()}
    if left_out:
        yield f"left out: {_counted(left_out)}"
    yield from _licences(report)
    yield f"kept apart from: {', '.join(_screened(report)) or 'no benchmark'}"
    for found in report.removed[:most_cuts]:
        place = f"{_printable(found.path)}:{found.first_line}-{found.last_line}"
        yield f"  removed {place}  {found.dataset} {found.task_id} ({found.rule})"
    if len(report.removed) > most_cuts:
        yield f"  and {len(report.removed) - most_cuts} more: crucible corpus show"
    for secret in report.secrets:
        yield f"secret: {_printable(secret.path)}:{secret.line}  {secret.kind}"


def _screened(report: CorpusReport) -> Iterator[str]:
    for item in report.screened:
        private = ", private" if item.is_private else ""
        yield f"{item.dataset} ({item.challenges}{private})"


def _licences(report: CorpusReport) -> Iterator[str]:
    whole = [
        f"{_printable(item.path)} ({item.licence})" for item in report.licences if item.is_file
    ]
    heads = Counter(item.licence for item in report.licences if not item.is_file)
    if whole:
        more = ["…"] if len(whole) > _NAMED_LICENCES else []
        yield f"licences: {', '.join([*whole[:_NAMED_LICENCES], *more])}"
    if heads:
        yield f"declared in headers: {_counted(dict(sorted(heads.items())))}"


def _part(part: PartCount) -> str:
    pairs = f", {plural(part.pairs, 'pair')}" if part.pairs else ""
    documents = plural(part.documents, "document")
    return f"{documents}, {plural(part.characters, 'character')}{pairs}"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _printable(text: str) -> str:
    """A file's name may hold anything, also what moves a terminal's cursor."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

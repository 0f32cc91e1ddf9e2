"""Builds a corpus from a directory: the same tree and options give the same bytes.

The order of the steps is a part of the promise. What must never be trained on goes first (secrets,
challenges), because a duplicate of it would else be kept in its place; then what is there twice;
only then the split, so that neither side knows of what is not there. At last whatever holds most of
a held-out file is taken from the training part, whichever way it escaped the search for duplicates.

Nothing but paths and contents enters: no time, no absolute path, no locale, no order of a listing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crucible_tasks.corpus import near_duplicates
from crucible_tasks.corpus.commit_pairs import commit_pairs
from crucible_tasks.corpus.corpus import Corpus, Document, Pair, Part
from crucible_tasks.corpus.decontaminate import cleaned
from crucible_tasks.corpus.docstring_pairs import docstring_pairs
from crucible_tasks.corpus.licences import licence_of_header
from crucible_tasks.corpus.near_duplicates import Holder, Shingles, shingles_of
from crucible_tasks.corpus.options import CorpusOptions
from crucible_tasks.corpus.report import (
    CorpusReport,
    Dropped,
    LicenceFound,
    PartCount,
    Reason,
    Removed,
    SecretFound,
)
from crucible_tasks.corpus.screen import Screen
from crucible_tasks.corpus.secret_scan import secrets_in
from crucible_tasks.corpus.sources import Source, read_sources
from crucible_tasks.corpus.split import Member, rank, split
from crucible_tasks.corpus.walk import walk
from crucible_tasks.corpus.words import words_of

#: words; an empty `__init__` and a line of import teach nothing
_LEAST_WORDS = 10

#: of a commit's lines, how many may stand in held-out files: code moves between files
_MOST_HELD_OUT = 0.5

#: hears what is being done, how far it is, and how far it goes
Tell = Callable[[str, int, int], None]


def _tell_nobody(step: str, done: int, of: int) -> None:
    del step, done, of


@dataclass(slots=True)
class _Kept:
    """What is left of the sources, and why the rest is not."""

    sources: list[Source] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    secrets: list[SecretFound] = field(default_factory=list)
    removed: list[Removed] = field(default_factory=list)
    licences: list[LicenceFound] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def drop(self, source: Source, reason: Reason, detail: str = "") -> None:
        self.dropped.append(Dropped(source.path, reason, detail))


def build_corpus(directory: Path, options: CorpusOptions, tell: Tell = _tell_nobody) -> Corpus:
    """Training examples from a source tree, and the report of what was left out.

    A tree of which nothing is left gives a corpus without documents. Raises InvalidInput when the
    directory cannot be used, FormatError for a `.crucibleignore` that cannot.
    """
    tree = walk(directory)
    files = tree.files
    read = read_sources(
        directory, files, options.most_bytes, lambda done: tell("reading", done, len(files))
    )
    kept = _Kept(dropped=[*tree.dropped, *read.dropped], licences=read.licences)
    screen = Screen(options.datasets, options.private)
    for number, source in enumerate(read.sources):
        tell("checking", number, len(read.sources))
        _check(kept, source, screen)
    documents = _documents(kept, options, tell)
    pairs = _pairs(directory, documents, options, kept, screen) if options.has_pairs else ()
    report = _report(tree.met, documents, pairs, kept, screen)
    return Corpus(read.origin, tuple(documents), tuple(pairs), report)


def _check(kept: _Kept, source: Source, screen: Screen) -> None:
    """Keep a source without what nobody may train on, or drop it."""
    declared = licence_of_header(source.path, source.text)
    secrets = secrets_in(source.path, source.text)
    if secrets:
        kept.secrets += secrets
        kept.drop(source, Reason.CONFIDENTIAL, f"line {secrets[0].line}: {secrets[0].kind}")
        return
    if source.path in screen.private_tests:
        kept.drop(source, Reason.CONTAMINATED, "tests of the private benchmark")
        return
    clean = cleaned(source, screen)
    kept.removed += clean.removed
    if clean.text is None:
        kept.drop(source, Reason.CONTAMINATED, _challenges(clean.removed))
    elif len(words_of(clean.text).words) < _LEAST_WORDS:
        kept.drop(source, Reason.TOO_SHORT)
    else:
        kept.sources.append(Source(source.path, source.language, clean.text))
        kept.licences += [declared] if declared else []


def _challenges(removed: Sequence[Removed]) -> str:
    return ", ".join(sorted({f"{item.dataset} {item.task_id}" for item in removed}))


def _documents(kept: _Kept, options: CorpusOptions, tell: Tell) -> list[Document]:
    """What is there once, on its side of the split."""
    sources = _once(kept)
    shingles = []
    for number, source in enumerate(sources):
        tell("comparing", number, 2 * len(sources))
        shingles.append(shingles_of(source.text))
    pairs = near_duplicates.alike(
        shingles, lambda done: tell("comparing", len(sources) + done, 2 * len(sources))
    )
    left_out = near_duplicates.copies(len(sources), pairs)
    for number, original in left_out.items():
        kept.drop(sources[number], Reason.NEAR_DUPLICATE, f"of {sources[original].path}")
    families = near_duplicates.families(len(sources), pairs)
    stay = [number for number in range(len(sources)) if number not in left_out]
    members = [
        Member(sources[number].path, len(sources[number].text), families[number]) for number in stay
    ]
    parts = split(members, options.held_out_share)
    documents = [
        Document(sources[number].path, sources[number].language, sources[number].text, part)
        for number, part in zip(stay, parts, strict=True)
    ]
    return _apart(kept, documents, [shingles[number] for number in stay])


def _once(kept: _Kept) -> list[Source]:
    """Without exact duplicates, in the order in which files are held out."""
    first: dict[str, str] = {}
    once = []
    for source in sorted(kept.sources, key=lambda source: rank(source.path)):
        if source.text in first:
            kept.drop(source, Reason.DUPLICATE, f"of {first[source.text]}")
        else:
            first[source.text] = source.path
            once.append(source)
    return once


def _apart(kept: _Kept, documents: list[Document], shingles: list[Shingles]) -> list[Document]:
    """Without documents of the training part that hold most of a held-out one."""
    held = [i for i, document in enumerate(documents) if document.part is Part.HELD_OUT]
    holder = Holder([shingles[i] for i in held])
    apart = []
    for document, mine in zip(documents, shingles, strict=True):
        found = holder.held_by(mine) if document.part is Part.TRAIN else None
        if found is None:
            apart.append(document)
        else:
            detail = documents[held[found]].path
            kept.dropped.append(Dropped(document.path, Reason.HOLDS_HELD_OUT, detail))
    return sorted(apart, key=lambda document: document.path)


def _pairs(
    directory: Path,
    documents: list[Document],
    options: CorpusOptions,
    kept: _Kept,
    screen: Screen,
) -> list[Pair]:
    held = Holder([shingles_of(d.text) for d in documents if d.part is Part.HELD_OUT])
    by_path = {document.path: document for document in documents}

    def is_clean(path: str, text: str) -> bool:
        language = by_path[path].language
        return not secrets_in(path, text) and not screen.matches(text, language)

    history = commit_pairs(directory, by_path, options.most_commits, is_clean)
    if history.note:
        kept.notes.append(history.note)
    apart = [pair for pair in history.pairs if not _tells_held_out(pair, held)]
    documented = [pair for document in documents for pair in docstring_pairs(document)]
    return list(dict.fromkeys([*documented, *apart]))


def _tells_held_out(pair: Pair, held: Holder) -> bool:
    if pair.part is Part.HELD_OUT:
        return False
    return held.share_of(shingles_of(f"{pair.instruction}\n{pair.answer}")) > _MOST_HELD_OUT


def _report(
    files: int, documents: list[Document], pairs: Sequence[Pair], kept: _Kept, screen: Screen
) -> CorpusReport:
    languages = Counter(document.language for document in documents)
    if documents and not any(document.part is Part.HELD_OUT for document in documents):
        kept.notes.append("nothing is held out: all documents are kin, or no share was wanted")
    return CorpusReport(
        files=files,
        train=_count(Part.TRAIN, documents, pairs),
        held_out=_count(Part.HELD_OUT, documents, pairs),
        languages=dict(sorted(languages.items(), key=lambda item: (-item[1], item[0]))),
        dropped=tuple(sorted(kept.dropped, key=lambda entry: entry.path)),
        secrets=tuple(kept.secrets),
        removed=tuple(kept.removed),
        licences=tuple(sorted(kept.licences, key=lambda found: found.path)),
        screened=tuple(screen.screened),
        notes=tuple(kept.notes),
    )


def _count(part: Part, documents: list[Document], pairs: Sequence[Pair]) -> PartCount:
    mine = [document for document in documents if document.part is part]
    return PartCount(
        documents=len(mine),
        characters=sum(len(document.text) for document in mine),
        pairs=sum(pair.part is part for pair in pairs),
    )

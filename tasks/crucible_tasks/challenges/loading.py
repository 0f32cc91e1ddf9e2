"""Open a dataset by name, or by the path of a file in any known format."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from crucible_infra import settings
from crucible_infra.errors import FormatError, UnknownDataset
from crucible_tasks.challenge import Challenge, RepositoryTests
from crucible_tasks.challenges import dataset, formats, known
from crucible_tasks.challenges.dataset import Dataset
from crucible_tasks.challenges.format import Format
from crucible_tasks.challenges.rows import Row, read_rows


def open_dataset(name_or_path: str, cache: Path | None = None) -> Dataset:
    """Open a known dataset, fetching it once, or read a file.

    A known name wins over a file of that name in the working directory; `./humaneval` is the file.
    Raises UnknownDataset, DatasetUnavailable, or FormatError naming file and line.
    """
    if known.is_known(name_or_path):
        directory = cache or settings.current().cache_directory / "datasets"
        return load(known.locate(name_or_path, directory), name_or_path)
    path = Path(name_or_path)
    if not _looks_like_path(name_or_path) and not _exists(path):
        raise UnknownDataset(f"no dataset is called {name_or_path!r}", hint=_hint(name_or_path))
    return load(path, path.name.partition(".")[0] or path.name)


def load(path: Path, name: str) -> Dataset:
    """Read a file as a dataset of this name; raises FormatError naming file and line."""
    rows = read_rows(path)
    chosen = formats.detect(rows[0].fields)
    if chosen is None:
        raise FormatError(
            FormatError.at(path, rows[0].line, formats.explain(rows[0].fields)).message,
            hint=f"known formats and their fields: {formats.known_fields()}",
        )
    archives: dict[str, bytes] = {}
    challenges = tuple(_challenges(path, rows, chosen, archives))
    _check_archives(path, challenges, archives)
    try:
        return dataset.create(name, chosen.name, challenges, tuple(archives.values()))
    except UnicodeEncodeError as error:
        line = next(line for line, item in _placed(rows, challenges) if _is_broken(item))
        raise FormatError.at(path, line, "a text holds half a surrogate pair") from error


def _challenges(
    path: Path, rows: tuple[Row, ...], chosen: Format, archives: dict[str, bytes]
) -> Iterator[Challenge]:
    """Read row by row; what rows bring for others goes to `archives` under its digest."""
    lines: dict[str, int] = {}
    for row in rows:
        _check_format(path, row, chosen)
        challenge, archive = _read(path, row, chosen)
        if archive is not None:
            archives[hashlib.sha256(archive).hexdigest()] = archive
        if not challenge.task_id:
            raise FormatError.at(path, row.line, "the id is empty")
        if challenge.task_id in lines:
            problem = f"{challenge.task_id!r} stands on line {lines[challenge.task_id]} already"
            raise FormatError.at(path, row.line, f"duplicate id: {problem}")
        lines[challenge.task_id] = row.line
        yield challenge


def _check_format(path: Path, row: Row, chosen: Format) -> None:
    found = formats.detect(row.fields)
    if found is chosen:
        return
    if found is not None:
        problem = f"a {found.name} row among {chosen.name} rows"
    else:
        missing = formats.quoted(chosen.required.difference(row.fields))
        problem = f"lacks {missing}, which a {chosen.name} row must have"
    raise FormatError.at(path, row.line, problem)


def _check_archives(
    path: Path, challenges: tuple[Challenge, ...], archives: dict[str, bytes]
) -> None:
    for challenge in challenges:
        tests = challenge.tests
        if isinstance(tests, RepositoryTests) and tests.snapshot not in archives:
            problem = (
                f"no row has the `archive` {tests.snapshot[:12]}… that {challenge.task_id} needs"
            )
            raise FormatError.at(path, None, problem)


def _read(path: Path, row: Row, chosen: Format) -> tuple[Challenge, bytes | None]:
    try:
        fields = msgspec.convert(row.fields, chosen.row)
        return chosen.challenge(fields), chosen.archive(fields)
    except msgspec.ValidationError as error:
        raise FormatError.at(path, row.line, f"{chosen.name} row: {error}") from error
    except FormatError as error:
        raise FormatError.at(path, row.line, error.message) from error


def _placed(
    rows: tuple[Row, ...], challenges: tuple[Challenge, ...]
) -> Iterator[tuple[int, Challenge]]:
    return ((row.line, item) for row, item in zip(rows, challenges, strict=True))


def _is_broken(challenge: Challenge) -> bool:
    try:
        msgspec.json.encode(challenge)
    except UnicodeEncodeError:
        return True
    return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        # a name too long for a file is no file
        return False


def _looks_like_path(name: str) -> bool:
    return "/" in name or os.sep in name or name.endswith((".json", ".jsonl", ".gz"))


def _hint(name: str) -> str:
    close = difflib.get_close_matches(name.lower(), known.names(), n=1)
    guess = f"did you mean {close[0]}? " if close else ""
    return f"{guess}known are {', '.join(known.names())}, or give the path of a file"

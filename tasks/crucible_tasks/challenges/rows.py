"""Rows of a .jsonl, .jsonl.gz or .json file, each with the line it stands on."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crucible_infra.errors import FormatError

_GZIP_MAGIC = b"\x1f\x8b"
_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Row:
    """One JSON object of a file."""

    #: from 1, in the unpacked text
    line: int
    fields: dict[str, Any]


def read_rows(path: Path) -> tuple[Row, ...]:
    """Read JSON Lines, a JSON array, or an object around one array; gzip is found by content.

    A byte order mark, CRLF and blank lines are tolerated. Raises FormatError naming file and line.
    """
    text = _text(path)
    start = _skip(text, 0)
    if start == len(text):
        raise FormatError.at(path, None, "the file is empty")
    if text[start] == "[":
        rows = _elements(path, text, start) if _parse(path, 1, text) else ()
    else:
        rows = _lines(path, text)
    kept = tuple(rows)
    if not kept:
        raise FormatError.at(path, None, "the file holds no rows")
    return kept


def _text(path: Path) -> str:
    content = _content(path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FormatError.at(path, line, f"not UTF-8 text ({error.reason})") from error


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(_GZIP_MAGIC) else content
    except FileNotFoundError as error:
        raise FormatError.at(path, None, "no such file") from error
    except IsADirectoryError as error:
        raise FormatError.at(path, None, "is a directory, not a file") from error
    except EOFError as error:
        raise FormatError.at(path, None, "the gzip file is truncated") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise FormatError.at(path, None, f"the gzip file is corrupt ({error})") from error
    except OSError as error:
        raise FormatError.at(path, None, f"cannot be read: {error.strerror}") from error


def _lines(path: Path, text: str) -> Iterator[Row]:
    # str.splitlines would also split at U+2028, which JSON strings may hold
    numbered = [
        (number, line)
        for number, line in enumerate(text.split("\n"), start=1)
        if line and not line.isspace()
    ]
    if _is_one_object(numbered):
        return iter(_wrapped(path, text))
    return (_row(path, number, _parse(path, number, line)) for number, line in numbered)


def _is_one_object(numbered: list[tuple[int, str]]) -> bool:
    """Whether the whole text is one object: on one line around an array, or spread over lines."""
    try:
        first = json.loads(numbered[0][1])
    except (ValueError, RecursionError):
        # a broken first row of JSON Lines is complete; the first line of a spread object is not
        return len(numbered) > 1 and not numbered[0][1].rstrip().endswith("}")
    return len(numbered) == 1 and isinstance(first, dict) and _array_name(first) is not None


def _wrapped(path: Path, text: str) -> Iterator[Row]:
    value = _parse(path, 1, text)
    name = _array_name(value)
    if name is None:
        yield _row(path, text.count("\n", 0, _skip(text, 0)) + 1, value)
        return
    # the text is known to be valid from here on, so only positions are looked for
    position = _skip(text, _skip(text, 0) + 1)
    while True:
        key, position = _DECODER.raw_decode(text, position)
        position = _skip(text, _skip(text, position) + len(":"))
        if key == name:
            break
        _, position = _DECODER.raw_decode(text, position)
        position = _skip(text, _skip(text, position) + len(","))
    yield from _elements(path, text, position)


def _array_name(value: Any) -> str | None:
    """Name the field that holds the rows: the only one that is a list of objects."""
    if not isinstance(value, dict):
        return None
    names = [
        name
        for name, held in value.items()
        if isinstance(held, list) and held and all(isinstance(item, dict) for item in held)
    ]
    return names[0] if len(names) == 1 else None


def _elements(path: Path, text: str, bracket: int) -> Iterator[Row]:
    """Walk a valid array that opens at `bracket`, keeping count of lines."""
    line, counted, position = 1, 0, bracket
    while text[position] != "]":
        position = _skip(text, position + 1)
        line += text.count("\n", counted, position)
        counted = position
        value, position = _DECODER.raw_decode(text, position)
        yield _row(path, line, value)
        position = _skip(text, position)


def _row(path: Path, line: int, value: Any) -> Row:
    if not isinstance(value, dict):
        raise FormatError.at(path, line, f"a row must be a JSON object, not {type(value).__name__}")
    return Row(line, value)


def _parse(path: Path, first_line: int, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise FormatError.at(path, line, f"not JSON: {error.msg} (column {error.colno})") from error
    except RecursionError as error:
        raise FormatError.at(path, first_line, "JSON nested too deeply") from error
    except ValueError as error:
        # an integer of more digits than Python converts
        raise FormatError.at(path, first_line, f"not usable JSON: {error}") from error


def _skip(text: str, position: int) -> int:
    blank = _BLANK.match(text, position)
    return blank.end() if blank else position

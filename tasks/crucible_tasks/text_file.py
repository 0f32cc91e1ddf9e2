"""Reads a small text file that a user wrote: bounded, UTF-8, every mistake in one line."""

from __future__ import annotations

from pathlib import Path

from crucible_infra.errors import FormatError, InvalidInput


def read_text_file(path: str, most_bytes: int, kind: str) -> str:
    """The file's text, without a byte order mark; line ends stay as they are.

    `kind` is what such a file is called where it is too large. Raises InvalidInput for a file that
    cannot be read or is larger than `most_bytes`, FormatError for one that is not UTF-8.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror}") from error
    except ValueError as error:
        # YAML can write a NUL, which no file's name holds
        raise InvalidInput(f"{path!r}: {error}") from error
    if len(content) > most_bytes:
        raise InvalidInput(f"{path}: is larger than {most_bytes // 1024} KiB, which no {kind} is")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FormatError.at(path, line, "is not UTF-8") from error

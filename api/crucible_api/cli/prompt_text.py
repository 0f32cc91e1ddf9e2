"""The message that is sent: the prompt, and behind it what was piped and the files."""

from __future__ import annotations

import codecs
import os
from collections.abc import Sequence
from pathlib import Path

from crucible_infra.errors import InvalidInput

# the longer ones first: a UTF-32 mark begins like a UTF-16 one
_MARKS = (
    (codecs.BOM_UTF32_LE, None),
    (codecs.BOM_UTF32_BE, None),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decoded(data: bytes, place: str) -> str:
    """The text of bytes: UTF-8, or UTF-16 where a mark says so. Raises InvalidInput."""
    mark, encoding = next(((m, e) for m, e in _MARKS if data.startswith(m)), (b"", "utf-8"))
    if encoding is None:
        raise InvalidInput(f"{place} is UTF-32", hint="iconv -t UTF-8 makes it readable")
    try:
        return data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        offset = len(mark) + error.start
        shown = data[offset] if offset < len(data) else data[-1]
        raise InvalidInput(
            f"{place} is not {encoding.upper()}: byte {offset} is 0x{shown:02x}",
            hint="only text can be sent; iconv -t UTF-8 converts other encodings",
        ) from error


def read_file(name: str, limit: int) -> str:
    """The text of a file. Raises InvalidInput when it is none, or too long."""
    path = Path(name)
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise InvalidInput(f"{name}: {error.strerror}") from error
    if len(data) > limit:
        raise InvalidInput(
            f"{name} has more than {limit} bytes", hint="send less, or raise --max-stdin"
        )
    return decoded(data, name)


def message(prompt: str, piped: str | None, files: Sequence[tuple[str, str]]) -> str:
    """Prompt, piped text and named files as one message; a lone text stays as it is."""
    if not prompt and not files and piped is not None:
        return piped
    parts = [prompt] if prompt else []
    parts += [_marked(f'file name="{os.fsdecode(name)}"', "file", text) for name, text in files]
    if piped:
        parts.append(_marked("stdin", "stdin", piped))
    return "\n\n".join(parts)


def _marked(opening: str, closing: str, text: str) -> str:
    ended = text if text.endswith("\n") else f"{text}\n"
    return f"<{opening}>\n{ended}</{closing}>"

"""Where in a TOML file a key is written: the parser tells values, people need lines."""

from __future__ import annotations

import re

#: `[table]` and `[[table]]`
_HEADER = re.compile(r"\s*\[{1,2}(?P<name>[^\]]*)\]")

_ENTRY = re.compile(r"""\s*(?P<name>(?:"[^"]*"|'[^']*'|[\w.\s-])+?)\s*=""")

_PART = re.compile(r""""([^"]*)"|'([^']*)'|([\w-]+)""")


def line_of(text: str, path: tuple[str, ...]) -> int | None:
    """The line where a key or table is written, as far as a look at each line tells.

    A key inside an inline table is found at its table's line. Text over several lines can look
    like keys; then the line is wrong, and nothing else is.
    """
    best, found = 0, None
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            here = table = _parts(header["name"])
        elif entry := _ENTRY.match(line):
            here = (*table, *_parts(entry["name"]))
        else:
            continue
        if path[: len(here)] == here and len(here) > best:
            best, found = len(here), number
    return found


def _parts(name: str) -> tuple[str, ...]:
    return tuple(next(filter(None, groups), "") for groups in _PART.findall(name))

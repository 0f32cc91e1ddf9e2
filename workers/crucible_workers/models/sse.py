"""Server-sent events: the data of each event, however a server has cut it into lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

#: how the OpenAI dialect ends a stream
DONE = b"[DONE]"


def data_of(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The data of every event, without comments; lines come without their line feed.

    A line that is JSON by itself counts as one too: some servers answer a request for a stream
    whole, and most report an error so.
    """
    parts: list[bytes] = []
    for ended in lines:
        line = ended.removesuffix(b"\r")
        if not line:
            yield from _event(parts)
            parts = []
        elif line.startswith(b"{"):
            yield from _event([line])
        elif line.startswith(b"data:"):
            parts.append(line[len(b"data:") :].removeprefix(b" "))
    # the last event needs no blank line behind it
    yield from _event(parts)


def _event(parts: list[bytes]) -> Iterator[bytes]:
    data = b"\n".join(parts).strip()
    if data:
        yield data

"""Paging: how a client asks for a part of a list, and is told where the next one begins."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Path, Query

from crucible_api.http.wire import Item, Page
from crucible_api.run_pages import Part
from crucible_infra.errors import InvalidInput

#: of one page of anything
MAX_LIMIT = 500

#: longer than any cursor of ours
_MAX_CURSOR = 1000

#: no name of ours holds what no terminal shows, and no database could look for it
_SHOWN = r"^[^\x00-\x1f\x7f]+$"

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many at most.")]
After = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=_MAX_CURSOR,
        pattern="^[A-Za-z0-9_-]+$",
        description="`next` of the page before.",
    ),
]
Name = Annotated[str, Path(min_length=1, max_length=200, pattern=_SHOWN)]
NameQuery = Annotated[str, Query(min_length=1, max_length=4096, pattern=_SHOWN)]


def page(part: Part[Item]) -> Page[Item]:
    """A part of a list on the wire."""
    if part.end is None:
        return Page(part.items, None)
    cursor = base64.urlsafe_b64encode(json.dumps(part.end).encode()).rstrip(b"=")
    return Page(part.items, cursor.decode())


def place(after: str | None, kinds: Sequence[type]) -> Any:
    """The place that a cursor names. Raises InvalidInput for one that was not ours."""
    if after is None:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
    except ValueError:
        found = None
    if isinstance(found, list) and [type(one) for one in found] == list(kinds):
        fits = [not isinstance(one, int) or 0 <= one < 2**31 for one in found]
        texts = [not isinstance(one, str) or (one.isprintable() and one.isascii()) for one in found]
        if all(fits) and all(texts):
            return tuple(found)
    raise InvalidInput("after is no cursor of this list", hint="take `next` of the page before")

"""A format: which fields its rows have, and how a row becomes a challenge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from crucible_tasks.challenge import Challenge


@dataclass(frozen=True, slots=True)
class Format:
    """One published layout of rows, known by its fields and never by a file's name."""

    name: str
    #: its fields without a default are the ones a row must have
    row: type[msgspec.Struct]
    #: raises FormatError, without a place, when a field's content cannot be used
    challenge: Callable[[Any], Challenge]
    #: the packed repository that a row brings for itself and others; raises FormatError, too
    archive: Callable[[Any], bytes | None] = lambda _: None

    @property
    def required(self) -> frozenset[str]:
        """The fields every row must have."""
        return _required(self.row)


@cache
def _required(row: type[msgspec.Struct]) -> frozenset[str]:
    # asked for every row of a file
    return frozenset(info.encode_name for info in msgspec.structs.fields(row) if info.required)

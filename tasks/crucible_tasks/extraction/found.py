"""What an extractor found in a text, and how."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """A program, or None, and the method that found it."""

    program: str | None
    method: str
    #: whether code of the answer itself is missing at its end
    is_trimmed: bool = False


NOTHING = Found(None, "none")

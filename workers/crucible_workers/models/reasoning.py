"""Reasoning that a model writes into its answer, told from the answer while it streams."""

from __future__ import annotations

from collections.abc import Iterator

from crucible_tasks.answering import Piece
from crucible_workers.models.interface import Ended

#: what opens it, as the first thing of an answer, and what closes it
_MARKS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
)


class _Marks:
    """What was streamed so far: not known yet, reasoning, or the answer."""

    def __init__(self) -> None:
        self._held = ""
        self._closing: str | None = None
        self._is_answer = False
        #: whether empty lines only part the answer from what was thought before it
        self._parts = False

    def add(self, text: str) -> Iterator[Piece]:
        """The pieces that are certain now."""
        self._held += text
        if self._closing is None and not self._is_answer:
            self._begin()
        if self._closing is not None:
            yield from self._thought(self._closing)
        if self._is_answer and self._parts:
            self._held = self._held.lstrip("\n")
        if self._is_answer and self._held:
            yield Piece(self._held)
            self._held, self._parts = "", False

    def rest(self) -> Iterator[Piece]:
        """What was held back when the answer ended."""
        if self._held:
            yield Piece(self._held, is_reasoning=self._closing is not None)

    def _begin(self) -> None:
        start = self._held.lstrip()
        for opening, closing in _MARKS:
            if start.startswith(opening):
                self._held, self._closing = start[len(opening) :], closing
                return
        may_open = any(opening.startswith(start) for opening, _ in _MARKS)
        self._is_answer = not may_open

    def _thought(self, closing: str) -> Iterator[Piece]:
        thought, found, answer = self._held.partition(closing)
        if found:
            self._closing, self._is_answer, self._parts = None, True, True
            self._held = answer
        else:
            # the beginning of the closing mark may be its end
            kept = next(n for n in range(len(closing) - 1, -1, -1) if thought.endswith(closing[:n]))
            thought, self._held = thought[: len(thought) - kept], thought[len(thought) - kept :]
        if thought:
            yield Piece(thought, is_reasoning=True)


def marked(events: Iterator[Piece | Ended]) -> Iterator[Piece | Ended]:
    """The same answer, with the reasoning at its beginning marked as such."""
    marks = _Marks()
    for event in events:
        if isinstance(event, Ended):
            yield from marks.rest()
            yield event
        elif event.is_reasoning:
            yield event
        else:
            yield from marks.add(event.text)

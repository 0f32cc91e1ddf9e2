"""Tries: wrong tokens are answered late, a few at a time, so that nobody guesses quickly."""

from __future__ import annotations

import asyncio

#: seconds until a wrong token is answered
_LATE = 1.0

#: wrong tokens that wait at once; others are sent away
_MOST = 20


class Tries:
    """The wrong tokens of one server; a good one never waits."""

    def __init__(self, seconds: float = _LATE, most: int = _MOST) -> None:
        self._seconds = seconds
        self._most = most
        self._waiting = 0

    async def wait(self) -> bool:
        """Wait as a wrong token must; False where too many do already."""
        if self._waiting >= self._most:
            return False
        self._waiting += 1
        try:
            await asyncio.sleep(self._seconds)
        finally:
            self._waiting -= 1
        return True

"""Following: whoever watches a run or a fine-tune shares one look at it with all the others.

One task looks at each thing that is followed, as seldom as its look is dear, and its followers are
told when something has changed. A follower who does not read misses what came between, and costs
no memory. The task ends with its last follower.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
import anyio.to_thread
from sqlalchemy.exc import TimeoutError as PoolTimeout

from crucible_api.http import wire
from crucible_infra import log
from crucible_infra.errors import CrucibleError

#: of one server; each is an open connection
MOST_FOLLOWERS = 500

#: seconds between looks, at least
_LOOK_EVERY = 0.5

#: CPU time that looking may take, of one core; counting a run of 32,800 completions takes 6 ms
_LOOKING_SHARE = 0.01

#: seconds; whatever it costs, people want to see that something moves
_LOOK_AT_LEAST_EVERY = 5.0

#: seconds between signs of life, which keep a proxy from ending a connection
_HEARTBEAT = 15.0

#: seconds of one stream; whoever comes back for more shows a token again, which may be revoked
_LONGEST = 300.0

#: threads that look, apart from those of other requests
_LOOKERS = 4

#: a client that lost its connection comes back after so many milliseconds
_RETRY = b"retry: 3000\n\n"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look found."""

    #: as it is sent
    data: bytes
    is_over: bool

    @property
    def id(self) -> str:
        """Equal for what is equal, even after the server was started again."""
        return hashlib.sha256(self.data).hexdigest()[:16]

    @property
    def end_id(self) -> str:
        """Of the last event."""
        return f"end-{self.id}"


Look = Callable[[], Seen]


@dataclass(slots=True)
class _Followed:
    """One thing that is followed."""

    look: Look
    seen: Seen
    followers: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def tell(self, seen: Seen) -> None:
        """Wake everybody who follows it."""
        self.seen = seen
        told, self.changed = self.changed, asyncio.Event()
        told.set()


class Following:
    """All that is followed on one server; for its event loop alone."""

    def __init__(
        self,
        most: int = MOST_FOLLOWERS,
        look_every: float = _LOOK_EVERY,
        heartbeat: float = _HEARTBEAT,
        rest: float = _LOOK_AT_LEAST_EVERY,
        longest: float = _LONGEST,
    ) -> None:
        self._most = most
        self._look_every = look_every
        self._heartbeat = heartbeat
        self._rest = rest
        self._longest = longest
        self._followed: dict[str, _Followed] = {}
        self._followers = 0
        self._is_closed = False
        self._limiter: anyio.CapacityLimiter | None = None

    @property
    def is_full(self) -> bool:
        """Whether nobody else can follow anything."""
        return self._followers >= self._most

    def close(self) -> None:
        """Let every follower go."""
        self._is_closed = True
        for one in self._followed.values():
            one.tell(one.seen)

    async def look(self, look: Look) -> Seen:
        """Look once. Raises what the look raises."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(_LOOKERS)
        return await anyio.to_thread.run_sync(look, limiter=self._limiter)

    async def events(
        self, name: str, look: Look, first: Seen, last_id: str
    ) -> AsyncIterator[bytes]:
        """What happens to a thing from what the first look saw on, to its end or for a while."""
        followed, until = self._join(name, look, first), time.monotonic() + self._longest
        try:
            yield _RETRY
            while not self._is_closed and time.monotonic() < until:
                seen, changed = followed.seen, followed.changed
                if seen.id != last_id:
                    last_id = seen.id
                    yield _event("progress", seen.id, seen.data)
                if seen.is_over:
                    yield _event("end", seen.end_id, seen.data)
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._heartbeat):
                        await changed.wait()
                    continue
                yield b": still here\n\n"
        finally:
            self._leave(name, followed)

    def _join(self, name: str, look: Look, first: Seen) -> _Followed:
        followed = self._followed.get(name)
        if followed is None:
            followed = self._followed[name] = _Followed(look, first)
            followed.task = asyncio.create_task(self._watch(name, followed))
        followed.followers += 1
        self._followers += 1
        return followed

    def _leave(self, name: str, followed: _Followed) -> None:
        followed.followers -= 1
        self._followers -= 1
        if followed.followers:
            return
        if self._followed.get(name) is followed:
            del self._followed[name]
        if followed.task is not None:
            followed.task.cancel()

    async def _watch(self, name: str, followed: _Followed) -> None:
        while not followed.seen.is_over:
            rest, seen = await self._measured(followed.look)
            if seen is not None and seen.data != followed.seen.data:
                followed.tell(seen)
            await asyncio.sleep(rest)
        # whoever joins later begins anew: it may have been resumed
        if self._followed.get(name) is followed:
            del self._followed[name]

    async def _measured(self, look: Look) -> tuple[float, Seen | None]:
        """Look, and tell how long to rest; a database that is away is asked again."""

        def timed() -> tuple[float, Seen]:
            began = time.thread_time()
            seen = look()
            return time.thread_time() - began, seen

        try:
            cost, seen = await anyio.to_thread.run_sync(timed, limiter=self._limiter)
        except (CrucibleError, PoolTimeout) as error:
            log.warning("cannot look", problem=str(error))
            return self._rest, None
        return min(max(self._look_every, cost / _LOOKING_SHARE), self._rest), seen


def seen(value: object, *, is_over: bool) -> Seen:
    """What a look found, as it is sent."""
    return Seen(wire.encode(value), is_over)


def _event(kind: str, number: str, data: bytes) -> bytes:
    # JSON in ASCII has no line of its own to break
    return b"event: %b\nid: %b\ndata: %b\n\n" % (kind.encode(), number.encode(), data)

"""The roster: which workers of a cluster are there, and what each of them serves.

Every worker writes a line about itself to Redis which expires unless it is written again, so a
host that lost its power is missed without anybody asking it. Reading it takes a millisecond,
where a question to all workers takes the whole time one is ready to wait.

Names begin with the kind of work, and keys are apart by it, so that Redis can let a worker write
about workers of its own kind alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from crucible_tasks.capability import kind_of
from crucible_tasks.celery_app import QUEUES, app

#: seconds after which a worker that said nothing counts as dead: six beats, so that neither a busy
#: host nor a short outage of the network loses one, and its work waits no longer than a person
GONE_SECONDS = 30

_NAMES = "crucible.workers."
_LINE = "crucible.worker."


@dataclass(frozen=True, slots=True)
class Line:
    """What a worker says of itself."""

    #: "evaluation.NAME": unique, and kept when it is started again after a crash
    member: str
    host: str
    #: where it takes tasks from
    queues: tuple[str, ...]
    #: specs of the models of its own host
    models: tuple[str, ...] = ()


@cache
def redis_client() -> Any:
    """A client for what is not a message, shared by the threads of this process; never retries.

    Kombu makes it, because it knows every kind of URL: sockets, TLS.
    """
    return app.connection_for_write().default_channel.client


def redis_errors() -> tuple[type[Exception], ...]:
    """What that client raises when Redis is away or refuses."""
    connection = app.connection_for_write()
    return (*connection.connection_errors, *connection.channel_errors)


def write(line: Line) -> None:
    """Be on the roster for another GONE_SECONDS."""
    pipe = redis_client().pipeline()
    pipe.sadd(_NAMES + kind_of(line.member), line.member)
    pipe.set(_LINE + line.member, msgspec.json.encode(line), ex=GONE_SECONDS)
    pipe.execute()


def strike(members: Iterable[str]) -> None:
    """Take workers off the roster."""
    pipe = redis_client().pipeline()
    for member in members:
        pipe.srem(_NAMES + kind_of(member), member)
        pipe.delete(_LINE + member)
    pipe.execute()


def present() -> tuple[Line, ...]:
    """Every worker that is there, in the order of their names."""
    return tuple(line for _, line in _read() if line is not None)


def gone(kinds: Sequence[str] = QUEUES) -> tuple[str, ...]:
    """The names of workers of these kinds that are on the roster and have fallen silent."""
    return tuple(name for name, line in _read(kinds) if line is None)


def waiting(queues: Sequence[str]) -> dict[str, int]:
    """How many messages wait in each of these queues, those not counted that a worker holds."""
    pipe = redis_client().pipeline()
    for queue in queues:
        pipe.llen(queue)
    return dict(zip(queues, pipe.execute(), strict=True))


def members(kinds: Sequence[str] = QUEUES, client: Any = None) -> tuple[str, ...]:
    """The names of all workers of these kinds, present or gone."""
    pipe = (client or redis_client()).pipeline()
    for kind in kinds:
        pipe.smembers(_NAMES + kind)
    found: defaultdict[str, set[str]] = defaultdict(set)
    for kind, names in zip(kinds, pipe.execute(), strict=True):
        found[kind] = {name.decode(errors="replace") for name in names}
    # a name among those of another kind is a lie, and nobody's
    return tuple(sorted(name for kind in kinds for name in found[kind] if kind_of(name) == kind))


def _read(kinds: Sequence[str] = QUEUES) -> list[tuple[str, Line | None]]:
    names = members(kinds)
    lines = redis_client().mget([_LINE + name for name in names]) if names else []
    return [(name, _line(line)) for name, line in zip(names, lines, strict=True)]


def _line(content: bytes | None) -> Line | None:
    """What a worker says of itself; None when it says nothing, or nonsense."""
    try:
        return msgspec.json.decode(content, type=Line) if content else None
    except msgspec.DecodeError:
        return None

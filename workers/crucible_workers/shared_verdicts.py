"""Verdicts in the Redis that all workers share: bounded in number, age and patience.

Two generations, each a hash of at most `capacity` entries: the young one is written; when it is
full it becomes the old one, and what was old is forgotten. Both are read. A generation expires
`seconds` after its first entry, so no entry is older. An entry is one verdict of some 150 bytes,
at most 2 KB, without any program's text: 200,000 of them take about 50 MB.

Each entry names its host and that host's epoch. `void` begins the next epoch of a host, and
entries of an earlier one count as absent.

A Redis that is away, slow or full costs `_PATIENCE_SECONDS` once in `_REST_SECONDS`, and one line
in the log when that begins; meanwhile nothing is known, and everything is judged.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from crucible_infra import log
from crucible_tasks.celery_app import app
from crucible_tasks.verdict import Mode, Outcome, Verdict

if TYPE_CHECKING:
    from kombu import Connection
    from redis import Redis

#: the broker's own keys begin with other words
_PREFIX = "crucible:verdicts:"
_YOUNG, _OLD, _EPOCHS = (_PREFIX + name for name in ("young", "old", "epochs"))

#: entries of a generation; two of them are HumanEval's 164 challenges x 200 samples, six times
CAPACITY = 100_000

#: a week: a sweep over the weekend, and the one after it with another temperature
LIFETIME_SECONDS = 7 * 86_400

#: for connecting and for an answer: those of one cluster are milliseconds apart, and busy
_PATIENCE_SECONDS = 0.25

PATIENCE = {"socket_timeout": _PATIENCE_SECONDS, "socket_connect_timeout": _PATIENCE_SECONDS}

#: without the cache, after it has failed
_REST_SECONDS = 30.0

_ADD = """
if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[1]) then
  redis.call('UNLINK', KEYS[2])
  redis.call('RENAME', KEYS[1], KEYS[2])
end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
if redis.call('TTL', KEYS[1]) < 0 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
"""

_VOID = """
redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
redis.call('EXPIRE', KEYS[1], ARGV[2])
"""

Answer = TypeVar("Answer")

_Seconds = Annotated[float, msgspec.Meta(ge=0)]


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    """One verdict as it is kept."""

    host: str
    epoch: int
    outcome: Outcome
    detail: Annotated[str, msgspec.Meta(max_length=300)]
    cpu_seconds: _Seconds
    wall_seconds: _Seconds
    mode: Mode


_DECODER = msgspec.json.Decoder(_Entry)


@dataclass(frozen=True, slots=True)
class Remembered:
    """A verdict, and the host that found it."""

    verdict: Verdict
    host: str


class SharedVerdicts:
    """Verdicts of all hosts; implements Memory."""

    def __init__(
        self,
        host: str | None = None,
        capacity: int = CAPACITY,
        connect: Callable[[], Redis] | None = None,
    ) -> None:
        self._host = host or socket.gethostname()
        self._capacity = capacity
        self._connect = connect or _connect
        self._lock = threading.Lock()
        self._client: Redis | None = None
        self._resting_until = 0.0
        self._is_away = False
        self._epoch = 0

    def find(self, keys: Iterable[str]) -> dict[str, Remembered]:
        """What is known of these, whoever found it."""
        names = list(keys)
        answer = self._ask(lambda redis: _read(redis, names)) if names else None
        if answer is None:
            return {}
        young, old, epochs = answer
        known = {host.decode(errors="replace"): int(epoch) for host, epoch in epochs.items()}
        self._epoch = known.get(self._host, 0)
        found = {}
        for name, newer, older in zip(names, young, old, strict=True):
            entry = _entry(newer, known) or _entry(older, known)
            if entry is not None:
                found[name] = entry
        return found

    def add(self, verdicts: Mapping[str, Verdict]) -> None:
        """Remember what this host has found and vouches for."""
        words = [self._capacity, LIFETIME_SECONDS]
        flat: list[str | bytes] = []
        for key, one in verdicts.items():
            with suppress(UnicodeEncodeError):
                # half a surrogate pair, which a failed assertion may quote
                flat += [key, self._written(one)]
        if flat:
            self._ask(lambda redis: redis.eval(_ADD, 2, _YOUNG, _OLD, *words, *flat))

    def void(self, host: str) -> None:
        """Begin the next epoch of this host."""
        # longer than any entry that it must outlive
        seconds = 2 * LIFETIME_SECONDS
        self._ask(lambda redis: redis.eval(_VOID, 1, _EPOCHS, host, seconds))

    def _written(self, one: Verdict) -> bytes:
        seconds = one.cpu_seconds, one.wall_seconds
        entry = _Entry(self._host, self._epoch, one.outcome, one.detail, *seconds, one.mode)
        return msgspec.json.encode(entry)

    def _ask(self, question: Callable[[Redis], Answer]) -> Answer | None:
        """The answer; None while the cache rests, and when it fails."""
        if time.monotonic() < self._resting_until:
            return None
        try:
            answer = question(self._connected())
        except (RedisError, OperationalError, OSError) as error:
            self._rest(error)
            return None
        if self._is_away:
            self._is_away = False
            log.info("verdict_cache_back")
        return answer

    def _connected(self) -> Redis:
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _rest(self, error: Exception) -> None:
        with self._lock:
            self._resting_until = time.monotonic() + _REST_SECONDS
            is_news, self._is_away = not self._is_away, True
            # whatever is wrong with its connections is not kept
            self._client = None
        if is_news:
            log.warning("verdict_cache_away", problem=str(error), effect="every program is judged")


def _connect() -> Redis:
    """A client of the broker's server, by way of whatever leads there: TLS, sockets."""
    options = {**app.conf.broker_transport_options, **PATIENCE}
    return client_of(app.connection_for_write(transport_options=options))


def client_of(connection: Connection) -> Redis:
    """The Redis behind a connection of Kombu's."""
    # its own `channel` sleeps for two seconds and tries again
    transport = connection.transport
    client: Redis = transport.create_channel(transport).client
    return client


def _read(redis: Redis, names: list[str]) -> Any:
    """Both generations' values of these, and the epochs of all hosts that ever were void."""
    pipeline = redis.pipeline(transaction=False)
    pipeline.hmget(_YOUNG, names)
    pipeline.hmget(_OLD, names)
    pipeline.hgetall(_EPOCHS)
    return pipeline.execute()


def _entry(raw: bytes | None, epochs: Mapping[str, int]) -> Remembered | None:
    """What a value says; None when it is void, or nonsense that somebody else wrote."""
    if raw is None:
        return None
    try:
        entry = _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if entry.epoch != epochs.get(entry.host, 0):
        return None
    verdict = Verdict(
        entry.outcome, entry.detail, entry.cpu_seconds, entry.wall_seconds, entry.mode
    )
    return Remembered(verdict, entry.host)

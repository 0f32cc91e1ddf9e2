"""Verdicts in a real Redis: shared by hosts, bounded, void when they must be, never in the way."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from kombu import Connection
from redis import Redis

from crucible_tasks.challenges import open_dataset, select
from crucible_tasks.verdict import Mode, Outcome, Verdict
from crucible_workers import shared_verdicts
from crucible_workers.shared_verdicts import LIFETIME_SECONDS, PATIENCE, SharedVerdicts, client_of
from judging_cluster import WELL, open_cluster, verdicts_of
from recorded_answers import write_replay
from services import RedisServer, free_port

FAILED = Verdict(Outcome.FAILED, "assert f(1) == 'ä'", 0.25, 0.5, Mode.SHARED)

#: half of what is silently waited for; a test machine is slower than a cluster
BRIEF_SECONDS = 2.0

Opens = Callable[..., SharedVerdicts]


@pytest.fixture
def client(redis_of_my_own: RedisServer) -> Redis:
    return client_of(Connection(redis_of_my_own.url, transport_options=PATIENCE))


@pytest.fixture
def on_host(redis_of_my_own: RedisServer) -> Opens:
    """What a worker of this host remembers by."""

    def open_one(host: str, capacity: int = 100, url: str = redis_of_my_own.url) -> SharedVerdicts:
        def connect() -> Redis:
            return client_of(Connection(url, transport_options=PATIENCE))

        return SharedVerdicts(host, capacity, connect)

    return open_one


def test_what_one_host_finds_another_knows_whole(on_host: Opens) -> None:
    on_host("a").add({"k": FAILED, "l": Verdict(Outcome.PASSED)})
    found = on_host("b").find(["k", "unknown"])

    assert [(one.verdict, one.host) for one in found.values()] == [(FAILED, "a")]
    assert list(found) == ["k"]
    assert on_host("b").find([]) == {}


def test_a_void_host_is_forgotten_and_what_it_finds_later_is_not(on_host: Opens) -> None:
    a, b = on_host("a"), on_host("b")
    a.add({"k": FAILED})
    b.add({"l": FAILED})
    # drained by another of its processes
    on_host("a").void("a")

    assert list(b.find(["k", "l"])) == ["l"]
    # one that has not heard of it adds nothing that counts
    a.add({"k": FAILED})
    assert list(b.find(["k", "l"])) == ["l"]
    a.find(["k"])
    a.add({"k": FAILED})
    assert list(b.find(["k", "l"])) == ["k", "l"]


def test_the_oldest_generation_makes_room_and_all_of_it_expires(
    on_host: Opens, client: Redis
) -> None:
    memory = on_host("a", capacity=3)
    for number in range(8):
        memory.add({str(number): FAILED})

    assert list(memory.find(map(str, range(8)))) == ["3", "4", "5", "6", "7"]
    memory.void("a")
    for key in client.keys("*"):
        assert key.startswith(b"crucible:verdicts:")
        assert 0 < client.ttl(key) <= 2 * LIFETIME_SECONDS


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        b'["a",0,"passed","",NaN,0,"split"]',
        b'["a",0,"passed","",-1,0,"split"]',
        b'["a",0,"perfect","",0,0,"split"]',
        b'["a",0,"passed","%s",0,0,"split"]' % (b"x" * 301),
        b'["a",7,"passed","",0,0,"split"]',
    ],
)
def test_nonsense_is_not_known(on_host: Opens, client: Redis, value: bytes) -> None:
    client.hset(shared_verdicts._YOUNG, "k", value)

    assert on_host("a").find(["k"]) == {}


def test_half_a_character_is_left_out(on_host: Opens) -> None:
    memory = on_host("a")
    memory.add({"k": Verdict(Outcome.FAILED, "\ud83d"), "l": FAILED})

    assert list(memory.find(["k", "l"])) == ["l"]


def test_a_redis_that_is_silent_costs_a_moment_once_and_comes_back(
    on_host: Opens,
    redis_of_my_own: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    memory = on_host("a")
    memory.add({"k": FAILED})
    assert redis_of_my_own._child is not None
    redis_of_my_own._child.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    for _ in range(1000):
        assert memory.find(["k"]) == {}
        memory.add({"k": FAILED})
    assert time.monotonic() - began < BRIEF_SECONDS
    redis_of_my_own._child.send_signal(signal.SIGCONT)
    monkeypatch.setattr(memory, "_resting_until", 0.0)

    assert list(memory.find(["k"])) == ["k"]
    assert [record.message.split()[0] for record in caplog.records] == [
        "verdict_cache_away",
        "verdict_cache_back",
    ]


def test_a_redis_that_is_full_or_not_there_is_no_error(
    on_host: Opens, client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    client.config_set("maxmemory", "1")
    memory = on_host("a")
    memory.add({"k": FAILED})
    nowhere = on_host("b", url=f"redis://127.0.0.1:{free_port()}/0")
    began = time.monotonic()

    assert memory.find(["k"]) == {}
    assert nowhere.find(["k"]) == {}
    nowhere.void("b")
    assert time.monotonic() - began < BRIEF_SECONDS
    assert caplog.text.count("verdict_cache_away") == 2


def test_what_two_workers_have_judged_a_later_run_knows(
    tmp_path: Path, redis_of_my_own: RedisServer, postgres_database_url: str
) -> None:
    dataset = select(open_dataset("humaneval"), limit=20)
    replay = write_replay(tmp_path / "replay.jsonl", dataset, 3)
    words = f"benchmark -m replay:{replay} -n 3 --limit 20 -k 1 --seed 3".split()
    found = []
    with open_cluster(tmp_path / "cluster", redis_of_my_own.url, postgres_database_url) as cluster:
        for name in ("one", "two"):
            with cluster.worker(name, WELL, "evaluation", CRUCIBLE_LOG_LEVEL="DEBUG") as log:
                said = cluster.crucible(*words)
                assert said.code == 0, said.err
            found.append((verdicts_of(cluster.crucible), *_counted(log)))

    (first, judged, known), (second, judged_later, known_later) = found
    assert (judged, known) == (60, 0)
    assert judged_later + known_later == 60
    # the rest is judged again to check what is known
    assert known_later > 45
    assert second == first


def _counted(log: Path) -> tuple[int, int]:
    """Programs that were judged and that were known, by a worker's log."""
    lines = re.findall(r" judging .* programs=(\d+) known=(\d+)", log.read_text())
    return sum(int(one) for one, _ in lines), sum(int(one) for _, one in lines)

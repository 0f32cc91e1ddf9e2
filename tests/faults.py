"""What can happen to a cluster: each kind of fault, done to a victim chosen at random."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cluster import DESK, STORE, Cluster, Worker
from host_stores import PostgresOnHost, RedisOnHost
from services import ServiceMissing

#: how long a link is cut, in seconds: shorter than a time-out, and longer than all of them
CUT_SECONDS = (5.0, 30.0)
#: how long a host freezes: a page-out storm, a live migration
FREEZE_SECONDS = (3.0, 15.0)
#: how long a server that was killed or shut down is away
AWAY_SECONDS = (0.5, 5.0)
#: how long somebody needs to find what fills the disk
FULL_SECONDS = (3.0, 12.0)
#: how far a clock jumps, either way, and how long until somebody sets it right
JUMP_SECONDS = (60.0, 7200.0)
WRONG_SECONDS = (2.0, 15.0)
#: a worker that has nothing to do takes no memory; so long it is waited for
OOM_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a fault happens, and the dice."""

    cluster: Cluster
    chance: random.Random

    def seconds(self, span: tuple[float, float]) -> float:
        """A random number of seconds."""
        return self.chance.uniform(*span)

    def worker(self, *queues: str) -> Worker:
        """A random worker of one of these queues."""
        return self.chance.choice([one for one in self.cluster.workers if one.queue in queues])


#: does it, undoes it, and says to whom it was done
Fault = Callable[[Scene], str]


def _kill_worker(queue: str) -> Fault:
    def fault(scene: Scene) -> str:
        victim = scene.worker(queue)
        victim.signal(signal.SIGKILL)
        return victim.name

    return fault


def _kill_redis(scene: Scene) -> str:
    with _restarted(scene, scene.cluster.redis, signal.SIGKILL):
        pass
    return STORE


def _restart_postgres(number: signal.Signals) -> Fault:
    def fault(scene: Scene) -> str:
        with _restarted(scene, scene.cluster.postgres, number):
            pass
        return STORE

    return fault


def _cut(*names: str) -> Fault:
    def fault(scene: Scene) -> str:
        hosts = scene.cluster.network.hosts
        name = scene.chance.choice(names or [one for one in hosts if one not in (STORE, DESK)])
        seconds = scene.seconds(CUT_SECONDS)
        try:
            hosts[name].cut()
            time.sleep(seconds)
        finally:
            scene.cluster.network.heal()
        return f"{name}, {seconds:.0f} s"

    return fault


def _freeze(scene: Scene) -> str:
    victim = scene.worker("generation", "evaluation", "controller")
    seconds = scene.seconds(FREEZE_SECONDS)
    try:
        victim.signal(signal.SIGSTOP)
        time.sleep(seconds)
    finally:
        victim.signal(signal.SIGCONT)
    return f"{victim.name}, {seconds:.0f} s"


def _fill_disk(scene: Scene) -> str:
    postgres, seconds = scene.cluster.postgres, scene.seconds(FULL_SECONDS)
    try:
        postgres.fill_disk()
        time.sleep(seconds)
    finally:
        postgres.free_disk()
        if not postgres.is_running:
            # it ends itself when it cannot write its log, and a service manager starts it again
            postgres.start()
    return f"{STORE}, {seconds:.0f} s"


def _exhaust_memory(scene: Scene) -> str:
    victim = scene.worker("generation", "evaluation", "controller")
    died = victim.exhaust_memory(OOM_SECONDS)
    return victim.name if died else f"{victim.name}, which lived on"


def _jump(scene: Scene) -> str:
    """The clock of one worker or of Redis jumps, and later back."""
    clocks = {one.name: one.clock for one in (*scene.cluster.workers, scene.cluster.redis)}
    name = scene.chance.choice(sorted(clocks))
    clock = clocks[name]
    if clock is None:
        raise ServiceMissing("clocks that jump need a C compiler")
    far = round(scene.seconds(JUMP_SECONDS)) * scene.chance.choice((-1, 1))
    try:
        clock.jump(far)
        time.sleep(scene.seconds(WRONG_SECONDS))
    finally:
        clock.jump(0)
    return f"{name}, {far:+} s"


@contextlib.contextmanager
def _restarted(
    scene: Scene, server: RedisOnHost | PostgresOnHost, number: signal.Signals
) -> Iterator[None]:
    server.end(number)
    try:
        time.sleep(scene.seconds(AWAY_SECONDS))
        yield
    finally:
        server.start()


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "kill-generation": _kill_worker("generation"),
        "kill-evaluation": _kill_worker("evaluation"),
        "kill-controller": _kill_worker("controller"),
        "kill-redis": _kill_redis,
        "postgres-fast": _restart_postgres(signal.SIGINT),
        "postgres-immediate": _restart_postgres(signal.SIGQUIT),
        "cut-worker": _cut(),
        "cut-store": _cut(STORE),
        "cut-desk": _cut(DESK),
        "freeze": _freeze,
        "disk-full": _fill_disk,
        "out-of-memory": _exhaust_memory,
        "clock-jump": _jump,
    }
)
